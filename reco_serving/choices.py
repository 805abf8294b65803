"""Which bundle and which policy answer a user, by the experiments that have begun: a look into a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from reco_assets.events.decided import Exposure
from reco_assets.experiments.assignment import bucket, held
from reco_assets.experiments.board import Board
from reco_assets.experiments.definition import BUCKETS, CHAMPION, Changes, Experiment, Variant
from reco_serving.loaded import Loaded

#: What an answer says that no experiment decided over.
DEFAULT: Final = "default"


@dataclass(frozen=True)
class Choice:
    """How one user is answered.

    Attributes
    ----------
    champion, loaded
        What serves everybody else, and what answers this user.
    variant
        ``experiment:variant``, with commas between where several layers decide; ``default`` for none.
    changes
        Fields of the policy that the variants set.
    """

    champion: Loaded
    loaded: Loaded
    variant: str = DEFAULT
    exposures: tuple[Exposure, ...] = ()
    changes: Mapping[str, bool | int | float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Arm:
    """A variant, and the bundle of its own that it answers from."""

    experiment: Experiment
    variant: Variant
    own: Loaded | None


@dataclass(frozen=True)
class _Layer:
    """Row in ``arms`` of each bucket, 0 for none."""

    name: str
    rows: Sequence[int]
    arms: tuple[_Arm | None, ...]


@dataclass(frozen=True)
class Choices:
    """All that runs, and the choices made so far by the rows of the layers."""

    layers: tuple[_Layer, ...] = ()
    made: dict[tuple[int, ...], Choice] = field(default_factory=dict)

    @classmethod
    def of(cls, board: Board, bundles: Mapping[str, Loaded]) -> Choices:
        """The experiments of ``board`` all of whose bundles are in ``bundles``, by version."""
        ready = [one for one in board.running if one.sources <= bundles.keys()]
        layers = []
        for name in sorted({one.layer for one in ready}):
            arms: list[_Arm | None] = [None]
            rows = [0] * BUCKETS
            for experiment in (one for one in ready if one.layer == name):
                for variant in experiment.variants:
                    for place in held(variant.buckets).nonzero()[0].tolist():
                        rows[place] = len(arms)
                    own = None if variant.bundle == CHAMPION else bundles[variant.bundle]
                    arms.append(_Arm(experiment, variant, own))
            layers.append(_Layer(name, rows, tuple(arms)))
        return cls(tuple(layers))

    def choose(self, user: str, champion: Loaded) -> Choice:
        """How ``user`` is answered while ``champion`` serves."""
        rows = tuple([layer.rows[bucket(layer.name, user)] for layer in self.layers])
        choice = self.made.get(rows)
        if choice is None or choice.champion is not champion:
            if choice is not None:
                self.made.clear()  # a champion that is gone need not be held
            choice = self.made[rows] = self._chosen(rows, champion)
        return choice

    def _chosen(self, rows: tuple[int, ...], champion: Loaded) -> Choice:
        found = (layer.arms[row] for layer, row in zip(self.layers, rows, strict=True))
        arms = [arm for arm in found if arm is not None]
        loaded = next((arm.own for arm in arms if arm.own is not None), champion)
        changes: Changes = {}
        for arm in arms:
            changes |= arm.variant.policy
        return Choice(
            champion=champion,
            loaded=loaded,
            variant=",".join(f"{arm.experiment.name}:{arm.variant.name}" for arm in arms) or DEFAULT,
            exposures=tuple(Exposure(a.experiment.name, a.variant.name, a.experiment.phase) for a in arms),
            changes=changes,
        )
