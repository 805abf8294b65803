"""Accuracy against diversity and against time, along each number of the policy that changes an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Final

import numpy as np

from benchmarks.quality.beyond import CATEGORIES, TASTES, Beyond
from benchmarks.quality.cells import aligned
from benchmarks.quality.judging import Score
from benchmarks.quality.periods import KNOWN
from benchmarks.quality.questions import Question
from benchmarks.quality.shop_judging import scores
from benchmarks.quality.turning import played, turned
from benchmarks.report import Value
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.types import Policy

#: Questions of each kind asked with each value, at the most.
MOST: Final = 1_000
#: What is drawn upwards, and what to the right where a knob is a share.
ACCURACY: Final = ("recall@20", "ndcg@20")
SIDES: Final = (CATEGORIES, TASTES)


@dataclass(frozen=True)
class Point:
    """One value of a knob, and what the answers were like.

    Attributes
    ----------
    accuracy, minus
        By metric: with this value, and the paired difference to the default.
    diversity
        By kind; NaN where nothing is known of it.
    answer_ms
        Median time of an answer.
    """

    value: float
    accuracy: Mapping[str, Score]
    minus: Mapping[str, Score]
    diversity: Mapping[str, float]
    answer_ms: float


@dataclass(frozen=True)
class Curve:
    """What one knob does to the answers to one question."""

    question: str
    knob: str
    default: float
    asked: int
    points: Sequence[Point]

    @property
    def counts(self) -> bool:
        """Whether the knob is a count, which costs time, and no share."""
        return isinstance(self.default, int)

    def as_json(self) -> dict[str, Value]:
        """The points, with None for a diversity that nothing is known of."""
        return {
            "question": self.question,
            "knob": self.knob,
            "default": self.default,
            "asked": self.asked,
            "points": [_flat(point) for point in self.points],
        }

    def table(self) -> str:
        """A line a value."""
        lines = [[self.knob, *(cell for metric in ACCURACY for cell in (metric, "- default")), *SIDES, "ms"]]
        for point in self.points:
            cells = [f"{point.value:g}"]
            for metric in ACCURACY:
                own, less = point.accuracy[metric], point.minus[metric]
                cells.append(f"{own.mean:.4f} ({own.low:.4f} to {own.high:.4f})")
                cells.append(f"{less.mean:+.4f} ({less.low:+.4f} to {less.high:+.4f})")
            cells += ["-" if isnan(value) else f"{value:.4f}" for value in point.diversity.values()]
            lines.append([*cells, f"{point.answer_ms:.2f}"])
        return f"{self.question}, {self.asked:,} questions, {self.knob} is {self.default:g}\n{aligned(lines)}"


def curves(
    question: str, asked: Sequence[Question], bundle: Bundle, policy: Policy, look: Beyond
) -> list[Curve]:
    """One curve for each number of ``policy`` that changes an answer; the others stay where they are.

    Those are asked whom the shop knew before, as in the main figures.
    """
    known = [one for one in asked if one.segment in KNOWN]
    drawn = np.random.default_rng(7).permutation(len(known))[:MOST]
    some = [known[at] for at in np.sort(drawn)]
    _, person = np.unique([one.person for one in some], return_inverse=True)
    found: list[Curve] = []
    for knob, policies in turned(policy).items():
        answers = played(some, list(policies.values()), bundle)
        if answers.flat:
            continue
        values, default = list(policies), getattr(policy, knob)
        names = [f"{value:g}" for value in values]
        own = answers.metrics[:, values.index(default)]
        accuracy = scores(names, answers.metrics, person)
        minus = scores(names, answers.metrics - own[:, None], person)
        beyond = [look.of_lists(shown) for shown in answers.shown]
        milliseconds = np.median(answers.seconds, axis=0) * 1e3
        points = [
            Point(
                value,
                {metric: accuracy[name][metric] for metric in ACCURACY},
                {metric: minus[name][metric] for metric in ACCURACY},
                {side: beyond[at][side] for side in SIDES},
                float(milliseconds[at]),
            )
            for at, (value, name) in enumerate(zip(values, names, strict=True))
        ]
        found.append(Curve(question, knob, default, len(some), points))
    return found


def _flat(point: Point) -> dict[str, Value]:
    flat: dict[str, Value] = {"value": point.value, "answer_ms": round(point.answer_ms, 3)}
    for metric in ACCURACY:
        for name, score in ((metric, point.accuracy[metric]), (f"{metric}_minus", point.minus[metric])):
            flat[name] = round(score.mean, 5)
            flat[f"{name}_low"], flat[f"{name}_high"] = round(score.low, 5), round(score.high, 5)
    for side, value in point.diversity.items():
        flat[side] = None if isnan(value) else round(value, 5)
    return flat
