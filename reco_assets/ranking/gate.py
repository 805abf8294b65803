"""Whether a challenger may become the champion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from reco_assets.candidates.sources import SOURCES

#: A challenger may be this much worse than what it is held against: the noise of one day.
TOLERANCE: Final = 0.03


@dataclass(frozen=True)
class Verdict:
    """The gate's decision and every comparison it was made from.

    Attributes
    ----------
    comparisons
        ``{against: (its value, must reach)}`` in the decisive metric.
    """

    passed: bool
    value: float
    metric: str
    comparisons: Mapping[str, tuple[float, float]]

    def reasons(self) -> list[str]:
        """One line a comparison that failed."""
        return [
            f"{self.metric} {self.value:.4f} is below {least:.4f}, what {name} ({found:.4f}) asks for"
            for name, (found, least) in self.comparisons.items()
            if self.value < least
        ]


def judge(
    means: Mapping[str, Mapping[str, float]], metric: str, full: str, champion: str = "champion"
) -> Verdict:
    """Hold the challenger against popularity, its best single source and today's champion.

    Parameters
    ----------
    means
        ``{recommender: {metric: mean}}`` over the same decisions; ``champion`` is there only
        where a champion exists that has not seen the test day.
    """
    value = means[full][metric]
    comparisons = {"popular": (means["popular"][metric], means["popular"][metric])}
    best = max((name for name in SOURCES if name in means), key=lambda name: means[name][metric])
    comparisons[best] = (means[best][metric], (1 - TOLERANCE) * means[best][metric])
    if champion in means:
        comparisons[champion] = (means[champion][metric], (1 - TOLERANCE) * means[champion][metric])
    return Verdict(all(value >= least for _, least in comparisons.values()), value, metric, comparisons)
