"""What an experiment is: its variants, what decides it, and what stops it; plain values."""

from __future__ import annotations

import re
from typing import Annotated, Final

from msgspec import Meta, Struct

from reco_assets.errors import BadInput
from reco_assets.experiments.metrics import METRICS, Guardrail

#: Users of a layer fall into so many buckets; a bucket is the smallest share, a hundredth of a per cent.
BUCKETS: Final = 10_000
#: The bundle of a variant that takes whatever serves everybody else.
CHAMPION: Final = "champion"
#: Layer of an experiment that names none.
LAYER: Final = "main"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

#: Values of a policy's fields that a variant sets.
Changes = dict[str, bool | int | float]


class Variant(Struct, frozen=True):
    """One way of answering.

    Attributes
    ----------
    bundle
        Version in the registry, or ``champion``.
    policy
        Fields of :class:`reco_assets.recommender.types.Policy` that differ from the bundle's own.
    buckets
        One bit a bucket of the layer, the first bucket in the highest bit; set where its users are shown
        this variant.
    """

    name: str
    bundle: str = CHAMPION
    policy: Changes = {}
    buckets: bytes = bytes(BUCKETS // 8)

    @property
    def size(self) -> int:
        """How many buckets it has."""
        return int.from_bytes(self.buckets, "big").bit_count()

    @property
    def share(self) -> float:
        """Share of all users who are shown it."""
        return self.size / BUCKETS


class Experiment(Struct, frozen=True, kw_only=True):
    """An experiment that runs or ran.

    Attributes
    ----------
    layer
        Experiments of one layer never share a user.
    salt
        Which buckets it draws depends on it, so that two experiments one after the other in a layer
        divide their users anew.
    variants
        The first is the control, which the others are held against.
    metrics
        The first decides; the others are told.
    guardrails
        What a variant must not make worse.
    level
        Share of experiments without any effect of which a metric claims one, however often one looks.
    planned
        User-days at which the intervals are tightest.
    phase
        How often the shares were changed; each phase is judged for itself.
    started_at, changed_at
        When it began, and when its present phase did, UTC microseconds.
    stopped_at, reason
        When and why it ended; None while it runs.
    """

    name: str
    layer: str = LAYER
    salt: str = ""
    variants: tuple[Variant, ...]
    metrics: tuple[str, ...] = ("ctr", "conversion", "revenue_per_user")
    guardrails: tuple[Guardrail, ...] = ()
    level: Annotated[float, Meta(gt=0, lt=1)] = 0.05
    planned: Annotated[int, Meta(ge=1)] = 10_000
    phase: int = 1
    started_at: int = 0
    changed_at: int = 0
    stopped_at: int | None = None
    reason: str = ""

    @property
    def running(self) -> bool:
        """Whether users are shown its variants."""
        return self.stopped_at is None

    @property
    def control(self) -> Variant:
        """What the others are held against."""
        return self.variants[0]

    @property
    def chooses_bundles(self) -> bool:
        """Whether a variant is answered from a bundle of its own."""
        return any(variant.bundle != CHAMPION for variant in self.variants)

    @property
    def policy_fields(self) -> frozenset[str]:
        """Fields of the policy that any of its variants sets."""
        return frozenset(field for variant in self.variants for field in variant.policy)

    @property
    def sources(self) -> frozenset[str]:
        """Versions of bundles that must be open before anybody is shown a variant."""
        return frozenset(variant.bundle for variant in self.variants) - {CHAMPION}

    def variant(self, name: str) -> Variant:
        """The variant called ``name``; raises BadInput."""
        for variant in self.variants:
            if variant.name == name:
                return variant
        known = ", ".join(variant.name for variant in self.variants)
        raise BadInput(f"experiment {self.name} has no variant {name!r}", hint=f"it has {known}")


def checked(experiment: Experiment) -> Experiment:
    """``experiment`` if it can be run at all; raises BadInput."""
    what = f"experiment {experiment.name!r}"
    for name in (experiment.name, experiment.layer, *(variant.name for variant in experiment.variants)):
        if not _NAME.fullmatch(name):
            raise BadInput(
                f"{what}: {name!r} cannot be a name",
                hint="take up to 64 of a-z, 0-9, dot, dash and underscore",
            )
    names = [variant.name for variant in experiment.variants]
    if len(names) < 2 or len(set(names)) < len(names):
        raise BadInput(f"{what} has the variants {names}", hint="name two or more, each once, control first")
    unknown = [name for name in experiment.metrics if name not in METRICS]
    if unknown or not experiment.metrics:
        raise BadInput(f"{what}: no metrics such as {unknown}", hint=f"there are {', '.join(METRICS)}")
    if not 0 < experiment.level < 1 or experiment.planned < 1:
        raise BadInput(
            f"{what}: level {experiment.level}, planned {experiment.planned}",
            hint="a level is between 0 and 1, and at least one user-day is planned",
        )
    return experiment
