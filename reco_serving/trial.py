"""May a new bundle serve? It is asked what visitors have just asked, beside the one that serves."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import mean, median
from typing import Final

import numpy as np

from reco_assets.errors import BadBundle, BadRequest
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.types import Decision
from reco_serving.breath import breath
from reco_serving.loaded import Loaded
from reco_serving.rehearsal import Case, rehearse

#: Bundles whose catalogues have less in common than this are of two shops, and not compared.
_SAME_SHOP: Final = 0.5


@dataclass(frozen=True)
class Bounds:
    """What a new bundle may be like.

    Attributes
    ----------
    overlap
        Share of an answer's products that it must have in common with the old one's, on average.
    slower
        How many times the time of the old one its answers may take...
    seconds
        ...and how long they may take anyhow.
    """

    overlap: float
    slower: float
    seconds: float


@dataclass(frozen=True)
class Findings:
    """What a trial found; ``overlap`` is None where the two bundles cannot be compared."""

    answers: int
    seconds: float
    overlap: float | None


def tried(
    new: Loaded,
    old: Loaded | None,
    cases: Sequence[Case],
    bounds: Bounds,
    now_us: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Findings:
    """Ask ``new`` (and ``old``) all of ``cases``.

    Raises
    ------
    BadBundle
        It must not serve: a score is not finite, an answer is empty or holds a product twice, it takes
        too long, or its answers have too little in common with those of the bundle that serves.
    """
    compared = old is not None and _alike(new.bundle, old.bundle)
    overlaps: list[float] = []
    taken: list[float] = []
    before: list[float] = []
    for case in cases:
        try:
            decision = _rehearsed(case, new, now_us, taken, clock)
            _check(decision, new.bundle.version)
            if old is None:
                continue
            held = _rehearsed(case, old, now_us, before, clock)
        except BadRequest:
            continue  # it asks for a category or a column that came or went between the two
        if compared:
            overlaps.append(_overlap(decision, new.bundle, held, old.bundle))
    if not taken:
        raise BadBundle(f"trying bundle {new.bundle.version}: it answers none of {len(cases)} requests")
    found = Findings(len(taken), median(taken), mean(overlaps) if overlaps else None)
    most = max(bounds.seconds, bounds.slower * median(before)) if before else bounds.seconds
    if found.seconds > most:
        raise BadBundle(
            f"trying bundle {new.bundle.version}: an answer takes {found.seconds * 1e3:.1f} ms, "
            f"{most * 1e3:.1f} ms are allowed",
            hint="RECO_SWAP_SLOWER and RECO_DEADLINE_MS set the bound",
        )
    if found.overlap is not None and found.overlap < bounds.overlap:
        raise BadBundle(
            f"trying bundle {new.bundle.version}: its answers have {found.overlap:.1%} of their products in "
            f"common with those of the bundle that serves, at least {bounds.overlap:.1%} are wanted",
            hint="look at what it was trained on; RECO_SWAP_OVERLAP=0 lets it serve all the same",
        )
    return found


def _rehearsed(
    case: Case, loaded: Loaded, now_us: int, taken: list[float], clock: Callable[[], float]
) -> Decision:
    """What ``loaded`` answers, when visitors have had a breath; the seconds it took go to ``taken``."""
    with breath():
        begun = clock()
        decision = rehearse(case, loaded, now_us)
        taken.append(clock() - begun)
        return decision


def _check(decision: Decision, version: str) -> None:
    shown = [one.item for one in decision.recommendations]
    if not all(isfinite(one.score) for one in decision.recommendations):
        raise BadBundle(f"trying bundle {version}: a score is not finite", hint="train again")
    if (not shown and not _nothing_is_left(decision)) or len(set(shown)) < len(shown):
        raise BadBundle(
            f"trying bundle {version}: an answer is empty or holds a product twice", hint="train again"
        )
    if decision.rung not in ("full", "no_ranker", "no_user_state"):
        raise BadBundle(f"trying bundle {version}: ranking fails, the log says how", hint="train again")


def _nothing_is_left(decision: Decision) -> bool:
    """Whether the request's own rules, and not the bundle, leave nothing to answer with."""
    short = decision.shortfall
    return short is not None and sum(short.left_out.values()) == short.catalogue > 0


def _alike(new: Bundle, old: Bundle) -> bool:
    return float(np.isin(old.items.keys, new.items.keys).mean()) >= _SAME_SHOP


def _overlap(new: Decision, new_bundle: Bundle, old: Decision, old_bundle: Bundle) -> float:
    answers = [
        {bundle.items.ids[one.item] for one in decision.recommendations}
        for decision, bundle in ((new, new_bundle), (old, old_bundle))
    ]
    if not any(answers):
        return 1.0
    return len(answers[0] & answers[1]) / max(1, min(map(len, answers)))
