"""Ranking metrics over the whole catalogue; nothing is sampled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
import numpy.typing as npt

Int32s = npt.NDArray[np.int32]
Bools = npt.NDArray[np.bool_]

#: The deepest place that a metric may look at.
DEEPEST: Final = 200
_DISCOUNT: Final = 1.0 / np.log2(np.arange(2, DEEPEST + 2))

METRICS: Final = ("recall@10", "recall@20", "ndcg@10", "ndcg@20", "hit@10", "mrr@20")


def ranking_metrics(shown: Int32s, wanted: Int32s, metrics: Sequence[str] = METRICS) -> dict[str, float]:
    """Metrics of one answer: ``shown`` item rows, best first, against the distinct rows ``wanted``.

    Parameters
    ----------
    metrics
        ``kind@k``, k from 1 to ``DEEPEST``, of four kinds:
        ``hit``, 1 where one of the first k is wanted, which for one wanted item is the papers' P@k and HR@k;
        ``mrr``, 1 / place of the first wanted item, 0 beyond place k;
        ``recall``, the share of the wanted that is among the first k;
        ``ndcg``, binary relevance, over the best possible: min(k, wanted) hits in front.
    """
    # both are short: comparing all with all is quicker than sorting
    hit = (shown[:, None] == wanted[None, :]).any(axis=1)
    found: dict[str, float] = {}
    for metric in metrics:
        kind, _, k = metric.partition("@")
        found[metric] = _KINDS[kind](hit[: int(k)], len(wanted), int(k))
    return found


def _hit(hit: Bools, wanted: int, k: int) -> float:
    return float(hit.any())


def _mrr(hit: Bools, wanted: int, k: int) -> float:
    return 1.0 / (1.0 + float(hit.argmax())) if hit.any() else 0.0


def _recall(hit: Bools, wanted: int, k: int) -> float:
    return float(hit.sum()) / wanted


def _ndcg(hit: Bools, wanted: int, k: int) -> float:
    return float((hit * _DISCOUNT[: len(hit)]).sum() / _DISCOUNT[: min(wanted, k)].sum())


_KINDS: Final[Mapping[str, Callable[[Bools, int, int], float]]] = {
    "hit": _hit,
    "mrr": _mrr,
    "recall": _recall,
    "ndcg": _ndcg,
}


@dataclass
class Scoreboard:
    """Metrics of several recommenders over the same decisions.

    Attributes
    ----------
    values
        By recommender, a row of ``METRICS`` for each decision.
    """

    values: dict[str, list[list[float]]] = field(default_factory=dict)

    @property
    def decisions(self) -> int:
        """How many were played."""
        return max(map(len, self.values.values()), default=0)

    def add(self, answers: Mapping[str, Int32s], wanted: Int32s) -> None:
        """Count one decision: what each recommender showed."""
        for name, items in answers.items():
            self.values.setdefault(name, []).append(list(ranking_metrics(items, wanted).values()))

    @classmethod
    def joined(cls, parts: Sequence[Scoreboard]) -> Self:
        """All decisions of ``parts``, one after the other."""
        whole = cls()
        for part in parts:
            for name, rows in part.values.items():
                whole.values.setdefault(name, []).extend(rows)
        return whole

    def clearly_better(self, one: str, other: str, metric: str) -> bool:
        """Whether ``one``'s mean is above ``other``'s by more than the standard error of the difference.

        Source: the one-standard-error rule of Breiman et al., "Classification and regression trees", 1984:
        of two models that the data hardly tell apart, the simpler is taken.
        """
        column = METRICS.index(metric)
        both = (np.array(self.values[name])[:, column] for name in (one, other))
        difference = np.subtract(*both)
        error = difference.std(ddof=1) / np.sqrt(len(difference)) if len(difference) > 1 else np.inf
        return bool(difference.mean() > error)

    def means(self) -> dict[str, dict[str, float]]:
        """``{recommender: {metric: mean}}``."""
        return {
            name: dict(zip(METRICS, np.mean(rows, axis=0).tolist(), strict=True))
            for name, rows in self.values.items()
        }
