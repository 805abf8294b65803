"""What is known of an experiment at one moment: each variant against the control, and whether it harms."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from msgspec import Struct

from reco_assets.experiments.definition import Experiment, Variant
from reco_assets.experiments.estimate import Effect, Looks, Sample, effect, worse
from reco_assets.experiments.metrics import METRICS, Metric
from reco_assets.experiments.outcomes import CROSSED
from reco_assets.experiments.sequential import ratio_p_value

#: A sample ratio that is less probable than this is broken.
RATIO_LEVEL: Final = 0.01


class Comparison(Struct, frozen=True):
    """One variant against the control by one metric; the numbers are those of ``Effect``."""

    variant: str
    metric: str
    users_control: int
    users: int
    user_days: int
    effect: Effect

    @property
    def verdict(self) -> str:
        """``better``, ``worse`` or ``undecided``."""
        better = METRICS[self.metric].better
        if better * self.effect.low > 0 and better * self.effect.high > 0:
            return "better"
        if better * self.effect.low < 0 and better * self.effect.high < 0:
            return "worse"
        return "undecided"


class Harm(Struct, frozen=True):
    """A guardrail that a variant has surely broken."""

    variant: str
    told: str


class Findings(Struct, frozen=True):
    """All that is known of one phase of an experiment.

    Attributes
    ----------
    at
        Up to when, UTC microseconds.
    users
        How many were shown each variant.
    crossed
        Users who were shown several; they are left out.
    ratio_p_value
        See :func:`reco_assets.experiments.sequential.ratio_p_value`.
    harms
        Guardrails that are broken.
    """

    experiment: str
    phase: int
    at: int
    users: dict[str, int]
    crossed: int
    ratio_p_value: float
    comparisons: tuple[Comparison, ...]
    harms: tuple[Harm, ...]

    @property
    def trusted(self) -> bool:
        """Whether the users are divided as planned."""
        return self.ratio_p_value >= RATIO_LEVEL


def findings(experiment: Experiment, users: pl.DataFrame, at: int) -> Findings:
    """What ``users`` say of ``experiment`` at ``at``.

    Every metric of every variant holds the level divided by the number of variants; guardrails share it
    among them as well.

    Parameters
    ----------
    users
        As :func:`reco_assets.experiments.outcomes.outcomes` makes them.
    """
    shown = [variant for variant in experiment.variants if variant.size]
    others = [variant for variant in shown if variant.name != experiment.control.name]
    parts = {variant.name: users.filter(pl.col("variant") == variant.name) for variant in shown}
    counts = {name: part.height for name, part in parts.items()}
    level = experiment.level / max(1, len(others))
    comparisons, harms = [], []
    control = parts[experiment.control.name]
    for variant in others:
        own = parts[variant.name]
        days = int(control["user_days"].sum()) + int(own["user_days"].sum())
        looks = Looks(days, experiment.planned, level)
        for name in experiment.metrics:
            found = effect(_sample(control, METRICS[name]), _sample(own, METRICS[name]), looks)
            comparisons.append(Comparison(variant.name, name, control.height, own.height, days, found))
        harms += _harms(experiment, variant, control, own, Looks(days, experiment.planned, level))
    return Findings(
        experiment=experiment.name,
        phase=experiment.phase,
        at=at,
        users=counts,
        crossed=users.filter(pl.col("variant") == CROSSED).height,
        ratio_p_value=ratio_p_value(list(counts.values()), [variant.size for variant in shown]),
        comparisons=tuple(comparisons),
        harms=tuple(harms),
    )


def _harms(
    experiment: Experiment, variant: Variant, control: pl.DataFrame, own: pl.DataFrame, looks: Looks
) -> list[Harm]:
    each = Looks(looks.clock, looks.planned, looks.level / max(1, len(experiment.guardrails)))
    broken = []
    for guardrail in experiment.guardrails:
        metric = METRICS[guardrail.metric]
        one, other = _sample(control, metric), _sample(own, metric)
        if worse(one, other, metric.better, guardrail.worst, guardrail.relative, each):
            told = f"guardrail {guardrail}: {other.ratio:.5g} against the control's {one.ratio:.5g}"
            broken.append(Harm(variant.name, told))
    return broken


def _sample(users: pl.DataFrame, metric: Metric) -> Sample:
    over, by = (users[name].to_numpy().astype(np.float64) for name in (metric.over, metric.by))
    before = users[metric.before].to_numpy().astype(np.float64) if metric.before else np.zeros(len(over))
    return Sample(over, by, before)
