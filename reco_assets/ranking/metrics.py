"""Ranking metrics over the whole catalogue; nothing is sampled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

Int32s = npt.NDArray[np.int32]

_DISCOUNT: Final = 1.0 / np.log2(np.arange(2, 202))

METRICS: Final = ("recall@10", "recall@20", "ndcg@10", "ndcg@20", "hit@10", "mrr@20")


def ranking_metrics(shown: Int32s, wanted: Int32s) -> dict[str, float]:
    """Metrics of one answer: ``shown`` item rows, best first, against the set ``wanted``."""
    hit = np.isin(shown, wanted)
    found: dict[str, float] = {}
    for k in (10, 20):
        found[f"recall@{k}"] = float(hit[:k].sum()) / len(wanted)
        ideal = _DISCOUNT[: min(len(wanted), k)].sum()
        found[f"ndcg@{k}"] = float((hit[:k] * _DISCOUNT[: len(hit[:k])]).sum() / ideal)
    found["hit@10"] = float(hit[:10].any())
    first = np.flatnonzero(hit[:20])
    found["mrr@20"] = 1.0 / (1.0 + float(first[0])) if len(first) else 0.0
    return found


@dataclass
class Scoreboard:
    """Means of the metrics of several recommenders over the same decisions."""

    decisions: int = 0
    sums: dict[str, dict[str, float]] = field(default_factory=dict)
    shown: dict[str, set[int]] = field(default_factory=dict)

    def add(self, answers: Mapping[str, Int32s], wanted: Int32s) -> None:
        """Count one decision: what each recommender showed."""
        self.decisions += 1
        for name, items in answers.items():
            totals = self.sums.setdefault(name, dict.fromkeys(METRICS, 0.0))
            for metric, value in ranking_metrics(items, wanted).items():
                totals[metric] += value
            self.shown.setdefault(name, set()).update(items[:10].tolist())

    def means(self) -> dict[str, dict[str, float]]:
        """``{recommender: {metric: mean}}``."""
        return {
            name: {metric: total / self.decisions for metric, total in totals.items()}
            for name, totals in self.sums.items()
        }
