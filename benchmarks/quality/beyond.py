"""What accuracy does not say: how much of the catalogue is shown, how evenly, how new, how varied.

Sources: Herlocker et al., "Evaluating collaborative filtering recommender systems", 2004 (coverage);
Fleder and Hosanagar, "Blockbuster culture's next rise or fall", 2009 (Gini); Zhou et al., "Solving the
apparent diversity-accuracy dilemma", 2010 (self-information); Ziegler et al., "Improving recommendation
lists through topic diversification", 2005 (intra-list).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from reco_assets.candidates.factors import Factors
from reco_assets.interactions.log import InteractionLog
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.types import Int32s

Doubles = npt.NDArray[np.float64]

COVERAGE: Final = "coverage"
GINI: Final = "gini"
NOVELTY: Final = "novelty_bits"
CATEGORIES: Final = "category_diversity"
TASTES: Final = "factor_diversity"


@dataclass(frozen=True)
class Beyond:
    """What is needed to look at lists.

    Attributes
    ----------
    information
        ``float64[n_items]``: bits that showing the item tells, -log2 of the share of people who know it.
    category
        ``int32[n_items]``; -1 unknown.
    factors
        ``float32[n_items, f]``, each of length 1, or of length 0 where nothing is known.
    """

    information: Doubles
    category: Int32s
    factors: npt.NDArray[np.float32]

    @classmethod
    def of(cls, bundle: Bundle, log: InteractionLog) -> Beyond:
        """From what the shop knows: ``log`` is all that it has seen, in the item rows of ``bundle``."""
        pairs = np.unique(np.stack([log.user, log.item]), axis=1)
        people = np.bincount(pairs[1], minlength=len(bundle.items))
        # one more person knows everything, so that an unknown product is not infinitely new
        information = -np.log2((people + 1.0) / (len(np.unique(pairs[0])) + 1.0))
        found = [one for one in bundle.sources.retrievers.values() if isinstance(one, Factors)]
        factors = found[0].factors if found else np.zeros((len(bundle.items), 1), np.float32)
        length = np.linalg.norm(factors, axis=1, keepdims=True)
        return cls(
            information,
            np.asarray(bundle.items.category),
            (factors / np.where(length > 0, length, 1)).astype(np.float32),
        )

    def of_lists(self, shown: Int32s) -> dict[str, float]:
        """Figures of ``shown`` ``int32[lists, places]``; a place that stayed empty is -1.

        Diversity is NaN where no list has two products of known category, or with factors.
        """
        exposure = np.bincount(shown[shown >= 0], minlength=len(self.information))
        varied = np.array([self._varied(row[row >= 0]) for row in shown]).reshape(-1, 2)
        return {
            COVERAGE: float((exposure > 0).mean()) if len(exposure) else 0.0,
            GINI: gini(exposure),
            NOVELTY: _mean(self.information[shown[shown >= 0]]),
            CATEGORIES: _mean(varied[:, 0]),
            TASTES: _mean(varied[:, 1]),
        }

    def _varied(self, items: Int32s) -> tuple[float, float]:
        """Mean over the pairs of a list: whether the categories differ; 1 - cosine of the factors."""
        known = self.category[items][self.category[items] >= 0]
        _, counts = np.unique(known, return_counts=True)
        pairs = len(known) * (len(known) - 1)
        categories = 1.0 - float((counts * (counts - 1)).sum()) / pairs if pairs else np.nan
        rows = self.factors[items]
        rows = rows[rows.any(axis=1)]
        n = len(rows)
        # the sum over all pairs is the squared length of the sum, less each with itself
        alike = (
            (float(np.square(rows.sum(axis=0, dtype=np.float64)).sum()) - n) / (n * (n - 1)) if n > 1 else 0.0
        )
        return categories, 1.0 - alike if n > 1 else np.nan


def gini(exposure: npt.NDArray[np.int64]) -> float:
    """0 where every product is shown as often as any other, towards 1 where one has it all."""
    total = exposure.sum()
    if total == 0:
        return float("nan")
    rising = np.sort(exposure)
    places = np.arange(1, len(rising) + 1)
    return float((2.0 * places - len(rising) - 1.0) @ rising / (len(rising) * total))


def _mean(values: Doubles) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
