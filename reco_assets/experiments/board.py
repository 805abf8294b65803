"""All experiments of a shop, and the changes that they allow; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from reco_assets.errors import BadInput
from reco_assets.experiments.assignment import Bools, held, packed, resized
from reco_assets.experiments.definition import BUCKETS, Changes, Experiment, Variant, checked
from reco_assets.recommender.types import Policy


class Board(Struct, frozen=True):
    """Every experiment, the newest last; ``version`` grows with each change."""

    version: int = 0
    experiments: tuple[Experiment, ...] = ()

    @property
    def running(self) -> tuple[Experiment, ...]:
        """Those that users are shown."""
        return tuple(one for one in self.experiments if one.running)

    def experiment(self, name: str) -> Experiment:
        """The experiment called ``name``; raises BadInput."""
        for one in self.experiments:
            if one.name == name:
                return one
        known = ", ".join(one.name for one in self.experiments) or "none"
        raise BadInput(f"there is no experiment {name!r}", hint=f"there are: {known}")


def start(board: Board, experiment: Experiment, shares: Sequence[float], at: int) -> Board:
    """``board`` with ``experiment``, whose variants get ``shares`` of all users at ``at``.

    Two experiments of different layers share users, so both may not decide on the same thing.

    Raises
    ------
    BadInput
        The definition is wrong, its name is taken, or something that runs is in its way.
    """
    checked(experiment)
    for variant in experiment.variants:
        check_policy(variant.policy)
    if any(one.name == experiment.name for one in board.experiments):
        raise BadInput(f"there is an experiment {experiment.name} already", hint="take another name")
    for one in board.running:
        if one.layer == experiment.layer:
            continue
        both = one.policy_fields & experiment.policy_fields
        if both or (one.chooses_bundles and experiment.chooses_bundles):
            what = f"set {', '.join(sorted(both))}" if both else "choose the bundle"
            raise BadInput(
                f"experiments {one.name} and {experiment.name} would both {what} for the same users",
                hint=f"put it in the layer {one.layer}, or stop {one.name} first",
            )
    salt = experiment.salt or experiment.name
    new = replace(experiment, salt=salt, started_at=at, changed_at=at, stopped_at=None, reason="", phase=1)
    new = _with_shares(board, new, dict(zip((v.name for v in new.variants), shares, strict=True)))
    return Board(board.version + 1, (*board.experiments, new))


def ramp(board: Board, name: str, shares: Mapping[str, float], at: int) -> Board:
    """``board`` with other ``shares`` of the named variants; a new phase begins.

    Nobody moves from one variant to another. Raises BadInput.
    """
    old = _running(board, name)
    for variant in shares:
        old.variant(variant)
    return _replaced(board, replace(_with_shares(board, old, shares), phase=old.phase + 1, changed_at=at))


def stop(board: Board, name: str, reason: str, at: int) -> Board:
    """``board`` with experiment ``name`` ended: everybody is answered as if it had never been."""
    return _replaced(board, replace(_running(board, name), stopped_at=at, reason=reason))


def drop(board: Board, name: str, variant: str, reason: str, at: int) -> Board:
    """``board`` without ``variant`` of experiment ``name``; nothing changes for the users of the others.

    Stops the experiment where it has nothing left beside its control. Raises BadInput.
    """
    old = _running(board, name)
    gone = old.variant(variant)
    left = [one for one in old.variants[1:] if one.size and one.name != variant]
    if gone.name == old.control.name or not left:
        return stop(board, name, reason, at)
    variants = tuple(Variant(v.name, v.bundle, v.policy) if v.name == variant else v for v in old.variants)
    return _replaced(board, replace(old, variants=variants, reason=reason))


def check_policy(policy: Changes) -> None:
    """Refuse ``policy`` where a bundle's could not take it; raises BadInput."""
    known = [field.name for field in fields(Policy)]
    for name in policy:
        if name not in known:
            raise BadInput(f"a policy has no field {name!r}", hint=f"it has {', '.join(known)}")
    try:
        msgspec.convert(dict(policy), Policy)
    except msgspec.ValidationError as error:
        raise BadInput(f"the policy {policy} cannot be used: {error}", hint="correct the value") from error


def _running(board: Board, name: str) -> Experiment:
    found = board.experiment(name)
    if not found.running:
        raise BadInput(f"experiment {name} has ended", hint="start another one; names are not used twice")
    return found


def _replaced(board: Board, new: Experiment) -> Board:
    rest = tuple(new if one.name == new.name else one for one in board.experiments)
    return Board(board.version + 1, rest)


def _with_shares(board: Board, experiment: Experiment, shares: Mapping[str, float]) -> Experiment:
    """``experiment`` whose variants hold as many buckets as ``shares`` say; the others as they do."""
    owned = {variant.name: held(variant.buckets) for variant in experiment.variants}
    taken = np.zeros(BUCKETS, np.bool_)
    for one in board.running:
        if one.layer == experiment.layer and one.name != experiment.name:
            for variant in one.variants:
                taken |= held(variant.buckets)
    # what gets fewer gives up before others take, but nobody takes what another gave up just now
    before = _union(owned.values())
    for name, share in shares.items():
        size = round(share * BUCKETS)
        if not 0 <= share <= 1 or (size == 0 and share > 0):
            raise BadInput(f"{name}: a share of {share}", hint="it is from 0.01% to 100%")
        owned[name] = resized(owned[name], taken | before | _union(owned.values()), size, experiment.salt)
    variants = tuple(replace(v, buckets=packed(owned[v.name])) for v in experiment.variants)
    if not variants[0].size:
        raise BadInput(f"experiment {experiment.name}: the control has nobody", hint="give it a share")
    return replace(experiment, variants=variants)


def _union(parts: Iterable[Bools]) -> Bools:
    union = np.zeros(BUCKETS, np.bool_)
    for part in parts:
        union |= part
    return union
