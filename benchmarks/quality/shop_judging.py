"""Asking every recommender the three questions, and what their answers were worth."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.quality.beyond import Beyond
from benchmarks.quality.intervals import bootstrap_intervals
from benchmarks.quality.judging import Score
from benchmarks.quality.periods import KNOWN, SEGMENTS
from benchmarks.quality.questions import SESSION, SHOWN, Question
from benchmarks.quality.rivals import Answer
from reco_assets.ranking.evaluation import FULL
from reco_assets.ranking.metrics import ranking_metrics
from reco_assets.recommender.types import Int32s

Doubles = npt.NDArray[np.float64]

#: The depths at which an answer is looked at.
PLACES: Final = (10, 20)
_RANKING: Final = tuple(f"{kind}@{k}" for kind in ("recall", "ndcg", "hit", "mrr") for k in PLACES)
_PRECISION: Final = tuple(f"precision@{k}" for k in PLACES)
METRICS: Final = (*_RANKING, *_PRECISION)

_WARM_UP: Final = 20


@dataclass(frozen=True)
class Verdict:
    """What one question found.

    Attributes
    ----------
    asked, persons, targets
        Questions of the main figure, of how many persons, and products wanted.
    scores
        By recommender and metric.
    minus
        By recommender and metric: the full recommender minus this one, over the same draws.
    segments
        By segment: how many questions, and the scores.
    beyond
        By recommender: what accuracy does not say.
    answer_ms
        By recommender: mean and 99th percentile of the time of an answer.
    """

    asked: int
    persons: int
    targets: int
    scores: Mapping[str, Mapping[str, Score]]
    minus: Mapping[str, Mapping[str, Score]]
    segments: Mapping[str, tuple[int, Mapping[str, Mapping[str, Score]]]]
    beyond: Mapping[str, Mapping[str, float]]
    answer_ms: Mapping[str, tuple[float, float]]


@dataclass
class Board:
    """The answers to one question, period after period."""

    question: str
    names: list[str] = field(default_factory=list)
    _values: list[Doubles] = field(default_factory=list)
    _took: list[Doubles] = field(default_factory=list)
    _persons: list[str] = field(default_factory=list)
    _segments: list[str] = field(default_factory=list)
    _targets: list[int] = field(default_factory=list)
    _beyond: list[tuple[int, Mapping[str, Mapping[str, float]]]] = field(default_factory=list)

    def ask(
        self,
        asked: Sequence[Question],
        answers: Mapping[str, Answer],
        look: Beyond,
        progress: Callable[[str], None],
    ) -> None:
        """Put the questions of one period to all recommenders, one after the other."""
        if not asked:
            return
        self.names = list(answers)
        values = np.empty((len(asked), len(answers), len(METRICS)))
        took = np.empty((len(asked), len(answers)))
        main = np.array([self._counts(one.segment) for one in asked])
        beyond: dict[str, Mapping[str, float]] = {}
        for column, (name, answer) in enumerate(answers.items()):
            progress(f"asking {name}")
            shown = np.full((len(asked), SHOWN), -1, np.int32)
            for one in asked[:_WARM_UP] if not self._values else ():
                answer(one)
            for row, one in enumerate(asked):
                begun = time.perf_counter()
                found = answer(one)
                took[row, column] = time.perf_counter() - begun
                values[row, column] = scored(found, one.wanted)
                shown[row, : len(found)] = found
            if main.any():
                beyond[name] = look.of_lists(shown[main])
        self._values.append(values)
        self._took.append(took)
        self._persons += [one.person for one in asked]
        self._segments += [one.segment for one in asked]
        self._targets += [len(one.wanted) for one in asked]
        if beyond:
            self._beyond.append((int(main.sum()), beyond))

    def _counts(self, segment: str) -> bool:
        """Whether a segment is part of the main figure: a session is asked about whoever's it is."""
        return segment in KNOWN or self.question == SESSION

    def verdict(self) -> Verdict | None:
        """All periods together; None where nobody was asked. Beyond accuracy: the mean over the periods."""
        if not self._values:
            return None
        values = np.concatenate(self._values)
        segments = np.array(self._segments)
        _, person = np.unique(np.array(self._persons), return_inverse=True)
        main = np.array([self._counts(segment) for segment in self._segments])
        took = np.concatenate(self._took) * 1e3
        by_segment = {name: segments == name for name in SEGMENTS if (segments == name).any()}
        weights = [weight for weight, _ in self._beyond]
        full = self.names.index(FULL)
        minus = np.delete(values[:, full : full + 1] - values, full, axis=1)
        others = [name for name in self.names if name != FULL]
        return Verdict(
            asked=int(main.sum()),
            persons=len(np.unique(person[main])),
            targets=int(np.array(self._targets)[main].sum()),
            scores=scores(self.names, values[main], person[main]),
            minus=scores(others, minus[main], person[main]),
            segments={
                name: (int(here.sum()), scores(self.names, values[here], person[here]))
                for name, here in by_segment.items()
            },
            beyond={
                name: {
                    figure: _weighted([found[name][figure] for _, found in self._beyond], weights)
                    for figure in self._beyond[0][1][name]
                }
                for name in (self.names if self._beyond else [])
            },
            answer_ms={
                name: (float(took[:, column].mean()), float(np.percentile(took[:, column], 99)))
                for column, name in enumerate(self.names)
            },
        )


def scored(shown: Int32s, wanted: Int32s) -> list[float]:
    """The values of :data:`METRICS` of one answer; precision is the share of k places that hit."""
    found = ranking_metrics(shown, wanted, _RANKING)
    hit = np.isin(shown, wanted)
    return [*found.values(), *(float(hit[:k].sum()) / k for k in PLACES)]


def scores(
    names: Sequence[str], values: Doubles, person: npt.NDArray[np.int64]
) -> dict[str, dict[str, Score]]:
    """Means and 95 % intervals over persons of ``values[questions, names, METRICS]``."""
    if not len(values) or not names:
        return {}
    means = values.mean(axis=0)
    low, high = (
        ends.reshape(means.shape) for ends in bootstrap_intervals(values.reshape(len(values), -1), person)
    )
    return {
        name: {
            metric: Score(float(means[row, at]), float(low[row, at]), float(high[row, at]))
            for at, metric in enumerate(METRICS)
        }
        for row, name in enumerate(names)
    }


def _weighted(values: Sequence[float], weights: Sequence[int]) -> float:
    known = [(value, weight) for value, weight in zip(values, weights, strict=True) if not np.isnan(value)]
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if total else float("nan")
