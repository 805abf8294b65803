"""How a variant differs from the control in a ratio of two sums over users, and how sure that is.

A ratio is not a mean over users: one user's clicks and impressions go together. The delta method turns it
into one (Deng, Knoblich and Lu, "Applying the delta method in metric analytics", KDD 2018): to first order
it moves as the mean of ``(over - ratio * by) / mean(by)``. Of that mean, what the same user did before the
experiment explains a part, which is taken out (CUPED: Deng, Xu, Kohavi and Walker, "Improving the
sensitivity of online controlled experiments by utilizing pre-experiment data", WSDM 2013).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np
import numpy.typing as npt

from reco_assets.experiments.sequential import p_value, width

Doubles = npt.NDArray[np.float64]

#: Nothing is said of fewer users in one of the two variants, nor of fewer to whom something happened: the
#: normal approximation does not hold yet.
FEWEST_USERS: Final = 100
FEWEST_TOLD: Final = 25
_INFINITE: Final = float("inf")


@dataclass(frozen=True)
class Sample:
    """Users of one variant, ``float64[users]`` each; ``before`` is all 0 where nothing is known."""

    over: Doubles
    by: Doubles
    before: Doubles

    def __len__(self) -> int:
        """Number of users."""
        return len(self.over)

    @property
    def ratio(self) -> float:
        """The metric's plain value; 0 where there is nothing to divide by."""
        by = float(self.by.sum())
        return float(self.over.sum()) / by if by else 0.0


@dataclass(frozen=True)
class Effect:
    """A variant against its control.

    Attributes
    ----------
    control, variant
        The metric's values, adjusted for what the users did before.
    difference, low, high
        Variant less control, and the ends of the interval; infinite while there are too few users.
    lift, lift_low, lift_high
        The same as a share of the control's value; NaN where that is 0.
    p_value
        Always valid; 1 while there are too few users.
    kept
        Variance that is left after the adjustment, as a share of what it was.
    """

    control: float
    variant: float
    difference: float
    low: float
    high: float
    lift: float
    lift_low: float
    lift_high: float
    p_value: float
    kept: float


@dataclass(frozen=True)
class Looks:
    """How the looks at one comparison are protected: see :func:`reco_assets.experiments.sequential.width`."""

    clock: float
    planned: float
    level: float


def effect(control: Sample, variant: Sample, looks: Looks) -> Effect:
    """What ``variant`` changes."""
    one, other, kept = _adjusted(control, variant)
    enough = _enough(control, variant) and looks.clock > 0
    plain = _contrast(other, one, 1.0)
    half = width(looks.clock, looks.planned, looks.level) if enough else _INFINITE
    spread = half * plain.error if plain.error else (0.0 if enough else _INFINITE)
    lift = _lift(other, one)
    lift_spread = half * lift.error if lift.error else (0.0 if enough else _INFINITE)
    return Effect(
        control=one.value,
        variant=other.value,
        difference=plain.value,
        low=plain.value - spread,
        high=plain.value + spread,
        lift=lift.value,
        lift_low=lift.value - lift_spread,
        lift_high=lift.value + lift_spread,
        p_value=_p_value(plain, looks) if enough else 1.0,
        kept=kept,
    )


def worse(control: Sample, variant: Sample, better: int, worst: float, relative: bool, looks: Looks) -> bool:
    """Whether ``variant`` is surely worse than its guardrail allows.

    Held against zero is ``variant - factor * control - shift``, whose interval is as always-valid as the
    difference's.
    """
    if not _enough(control, variant) or looks.clock <= 0:
        return False
    one, other, _ = _adjusted(control, variant)
    factor = 1.0 - better * worst if relative else 1.0
    shift = 0.0 if relative else -better * worst
    found = _contrast(other, one, factor)
    spread = width(looks.clock, looks.planned, looks.level) * found.error
    beyond = better * (found.value - shift)
    return beyond + spread < 0


@dataclass(frozen=True)
class _Mean:
    """A value and the variance of its estimate."""

    value: float
    variance: float

    @property
    def error(self) -> float:
        return sqrt(self.variance)


def _adjusted(control: Sample, variant: Sample) -> tuple[_Mean, _Mean, float]:
    """Both values with their variances, and the share of variance that the adjustment leaves."""
    moved = [_linear(control), _linear(variant)]
    before = [control.before, variant.before]
    centred = [one - one.mean() if len(one) else one for one in before]
    spread = float(sum((one * one).sum() for one in centred))
    together = float(sum((x * y).sum() for x, y in zip(centred, moved, strict=True)))
    theta = together / spread if spread > 0 else 0.0
    users = len(control) + len(variant)
    everybody = sum(float(one.sum()) for one in before) / users if users else 0.0
    means, plain, left = [], 0.0, 0.0
    for sample, linear, own, x in zip((control, variant), moved, before, centred, strict=True):
        count = max(1, len(sample))
        adjusted = linear - theta * x
        variance = float((adjusted * adjusted).sum()) / max(1, count - 1) / count
        value = sample.ratio - theta * ((float(own.mean()) if len(own) else 0.0) - everybody)
        means.append(_Mean(value, variance))
        plain += float((linear * linear).sum()) / max(1, count - 1) / count
        left += variance
    return means[0], means[1], left / plain if plain > 0 else 1.0


def _linear(sample: Sample) -> Doubles:
    """How each user moves the ratio; the mean is 0."""
    by = float(sample.by.mean()) if len(sample) else 0.0
    if not by:
        return np.zeros(len(sample))
    moved: Doubles = (sample.over - sample.ratio * sample.by) / by
    return moved


def _contrast(variant: _Mean, control: _Mean, factor: float) -> _Mean:
    return _Mean(variant.value - factor * control.value, variant.variance + factor**2 * control.variance)


def _lift(variant: _Mean, control: _Mean) -> _Mean:
    """Variant over control, less 1, by the delta method."""
    if not control.value:
        return _Mean(float("nan"), 0.0)
    ratio = variant.value / control.value
    return _Mean(ratio - 1.0, (variant.variance + ratio**2 * control.variance) / control.value**2)


def _p_value(difference: _Mean, looks: Looks) -> float:
    if not difference.error:
        return 1.0 if not difference.value else 0.0
    z = difference.value / difference.error
    return p_value(z, looks.clock, looks.planned, looks.level)


def _enough(control: Sample, variant: Sample) -> bool:
    told = int(np.count_nonzero(control.over)) + int(np.count_nonzero(variant.over))
    return min(len(control), len(variant)) >= FEWEST_USERS and told >= FEWEST_TOLD
