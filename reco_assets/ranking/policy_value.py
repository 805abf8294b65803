"""What another policy would have earned, from what this one showed: IPS, SNIPS and doubly robust.

Sources: Horvitz, Thompson, 1952; Swaminathan, Joachims, "The self-normalized estimator for
counterfactual learning", 2015; Dudik, Langford, Li, "Doubly robust policy evaluation", 2011; by place
of an answer as in Li, Abbasi-Yadkori, Kveton et al., "Offline evaluation of ranking policies", 2018.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Draws of the bootstrap, and the share of them that an interval leaves out at each end.
DRAWS: Final = 1000
TAIL: Final = 0.025
#: Told where there is nothing to estimate from.
NOTHING: Final = "no impressions with propensities"


@dataclass(frozen=True)
class LoggedPlaces:
    """Every place that was shown, and what the other policy would have put there.

    Attributes
    ----------
    user
        ``int64[n]``: whose answer it was; persons are drawn as a whole.
    propensity
        ``float64[n]``: probability of the product at its place by the policy that answered.
    same
        ``bool[n]``: the other policy shows the same product there.
    reward
        ``float64[n]``: what came of it, e.g. 1 for a click.
    expected, expected_other
        ``float64[n]``: reward that a model, which has not seen these rows, expects of the product shown
        and of the other policy's.
    """

    user: Int64s
    propensity: Numbers
    same: Bools
    reward: Numbers
    expected: Numbers
    expected_other: Numbers

    def __len__(self) -> int:
        """Number of places."""
        return len(self.user)


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


@dataclass(frozen=True)
class PolicyValue:
    """Rewards an impression: of what was shown, and of the other policy by three estimators.

    Attributes
    ----------
    impressions, users
        What it was estimated from.
    support
        Mean weight: the share of the other policy's places that the log can speak of. What it would
        show and never was shown counts nothing in ``ips``, is left out of ``snips``, and is what the
        model expects in ``doubly_robust``.
    """

    impressions: int
    users: int
    support: float
    logged: Estimate
    ips: Estimate
    snips: Estimate
    doubly_robust: Estimate

    def metrics(self) -> Mapping[str, float]:
        """As flat names, for a run's record."""
        found = {"impressions": float(self.impressions), "support": self.support}
        for name in ("logged", "ips", "snips", "doubly_robust"):
            estimate: Estimate = getattr(self, name)
            found |= {
                name: estimate.value,
                f"{name}_low": estimate.low,
                f"{name}_high": estimate.high,
            }
        return found


def policy_value(logged: LoggedPlaces, seed: int = 7) -> PolicyValue | None:
    """Value of the other policy, with intervals by bootstrap over persons; None without any place.

    A place weighs 1 / propensity where both policies show the same product there, else 0: what the
    other policy does is certain. The mean of weighted rewards (IPS) is right on average where every
    product that it shows had some chance to be shown; over the mean weight (SNIPS) it is steadier, and
    adding a number to all rewards adds it to the value; doubly robust weighs only what the model got
    wrong, and is right where either the model or the propensities are.
    """
    if not len(logged):
        return None
    weight = np.where(logged.same, 1.0 / logged.propensity, 0.0)
    robust = logged.expected_other + weight * (logged.reward - logged.expected)
    persons, inverse = np.unique(logged.user, return_inverse=True)
    columns = (np.ones(len(logged)), weight, logged.reward, weight * logged.reward, robust)
    sums: Numbers = np.stack([np.bincount(inverse, column, len(persons)) for column in columns])
    rng = np.random.default_rng(seed)
    draws = np.stack([_drawn(sums, rng) for _ in range(DRAWS)], axis=1)
    told, drawn = _ratios(sums.sum(axis=1)), _ratios(draws)
    low, high = np.quantile(drawn, (TAIL, 1.0 - TAIL), axis=1)
    estimates = [Estimate(float(t), float(a), float(b)) for t, a, b in zip(told, low, high, strict=True)]
    return PolicyValue(len(logged), len(persons), float(weight.mean()), *estimates)


def _drawn(sums: Numbers, rng: np.random.Generator) -> Numbers:
    persons = sums.shape[1]
    times = np.bincount(rng.integers(0, persons, persons), minlength=persons)
    found: Numbers = sums @ times
    return found


def _ratios(sums: Numbers) -> Numbers:
    """``logged``, ``ips``, ``snips``, ``doubly_robust`` of sums over places, rows in the order given."""
    places, weight, reward, weighted, robust = sums
    return np.stack(
        [reward / places, weighted / places, weighted / np.maximum(weight, 1e-12), robust / places]
    )
