"""The degradation ladder: what each of its rungs takes on this machine, and which is still affordable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Self

#: What may answer, the best first. ``no_user_state`` is ``full`` or ``no_ranker`` without the user's values.
FULL: Final = "full"
NO_RANKER: Final = "no_ranker"
CATEGORY_POPULAR: Final = "category_popular"
POPULAR: Final = "popular"
NO_USER_STATE: Final = "no_user_state"
LADDER: Final = (FULL, NO_RANKER, CATEGORY_POPULAR, POPULAR)
#: What is left of it while more is asked than can be answered: cheap answers come before refusals.
CHEAP: Final = LADDER[2:]

#: Weight of the newest observation.
_GAIN: Final = 1 / 16
#: More than so many times the mean counts as so many times the mean.
OUTLIER: Final = 4.0
#: Deviations above the mean that a deadline allows for.
_DEVIATIONS: Final = 3.0
#: An estimate that nobody has renewed is forgotten by half in this time, so that a rung that was slow
#: once is tried again.
_HALF_LIFE_SECONDS: Final = 2.0


@dataclass
class Cost:
    """A running estimate of what something takes, seconds.

    Attributes
    ----------
    least
        What it took when nothing else ran; the estimate falls back to it when it is not renewed.
    mean, spread
        Exponentially weighted mean and mean absolute deviation.
    at
        When it was last renewed, seconds of the same clock as ``now``.
    """

    least: float
    mean: float
    spread: float
    at: float

    @classmethod
    def of(cls, seconds: Sequence[float], now: float) -> Self:
        """From measurements when nothing else ran."""
        middle = median(seconds)
        return cls(min(seconds), middle, median(abs(one - middle) for one in seconds), now)

    def observe(self, seconds: float, now: float) -> None:
        """It has just taken so long."""
        fresh = self._fresh(now)
        self.mean = self.least + fresh * (self.mean - self.least)
        # a stall of the whole process is no news of the rung; what stays slow is believed soon enough
        seconds = min(seconds, OUTLIER * self.mean)
        self.spread *= fresh
        self.spread += _GAIN * (abs(seconds - self.mean) - self.spread)
        self.mean += _GAIN * (seconds - self.mean)
        self.at = now

    def expected(self, now: float) -> float:
        """What it takes on average."""
        return self.least + self._fresh(now) * (self.mean - self.least)

    def within(self, now: float) -> float:
        """What it takes at the most, but for a few."""
        return self.expected(now) + _DEVIATIONS * self._fresh(now) * self.spread

    def _fresh(self, now: float) -> float:
        unseen = now - self.at
        # nothing is forgotten between two requests of a busy worker
        return 1.0 if unseen < _HALF_LIFE_SECONDS / 8 else 0.5 ** (unseen / _HALF_LIFE_SECONDS)


def affordable(
    rungs: Sequence[str],
    costs: Mapping[str, Cost],
    now: float,
    left: float,
    others: int,
    pace: float,
    drain: float,
) -> str:
    """The best of ``rungs`` that answers in time and lets those who wait be answered in time as well.

    Parameters
    ----------
    left
        Seconds within which the answer must be made.
    others
        Requests that wait for this one.
    pace
        Seconds that pass between two answers beside the answers themselves.
    drain
        Seconds in which all that wait must be answered at the same rung.
    """
    for rung in rungs[:-1]:
        cost = costs[rung]
        if cost.within(now) <= left and others * (cost.expected(now) + pace) <= drain:
            return rung
    return rungs[-1]
