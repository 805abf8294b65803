"""What the shop's judgement looks like: JSON, a table for a person, a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Final

from benchmarks.quality.beyond import CATEGORIES, COVERAGE, GINI, NOVELTY, TASTES
from benchmarks.quality.cells import aligned
from benchmarks.quality.curve import Curve
from benchmarks.quality.curve_picture import curve_picture
from benchmarks.quality.judging import Score
from benchmarks.quality.periods import Period, moment
from benchmarks.quality.shop_judging import Verdict
from benchmarks.report import Value
from reco_assets.monitoring.plots import metric_bars

#: What a person reads; everything is in the JSON.
_SHOWN: Final = ("recall@20", "ndcg@20", "precision@20", "hit@20", "mrr@20")
_DECISIVE: Final = ("recall@20", "ndcg@20")
_BEYOND: Final = (COVERAGE, GINI, NOVELTY, CATEGORIES, TASTES)


@dataclass(frozen=True)
class ShopOutcome:
    """What the run over one shop's log found.

    Attributes
    ----------
    verdicts
        By question; those that nobody could be asked are missing.
    silent
        Why each missing question was not asked.
    fit_seconds
        By recommender; the full one's is the whole graph, from the import to the online store.
    """

    name: str
    period: Period
    periods: int
    ranks_by: Sequence[str]
    verdicts: Mapping[str, Verdict]
    silent: Mapping[str, str]
    fit_seconds: Mapping[str, float]
    costs: Mapping[str, float]
    curves: Sequence[Curve] = ()

    def as_json(self) -> dict[str, Value]:
        """Each recommender's figures by ``question.metric``, then the paired differences and the costs."""
        found: dict[str, dict[str, Value]] = {}
        minus: dict[str, dict[str, Value]] = {}
        for question, verdict in self.verdicts.items():
            for name in verdict.answer_ms:
                row = found.setdefault(name, {})
                row |= _flat(question, verdict.scores.get(name, {}))
                for segment, (_, by_name) in verdict.segments.items():
                    row |= _flat(f"{question}.{segment}", by_name[name])
                for figure, value in verdict.beyond.get(name, {}).items():
                    row[f"{question}.{figure}"] = None if isnan(value) else round(value, 5)
                row[f"{question}.answer_ms"] = round(verdict.answer_ms[name][0], 3)
                row[f"{question}.answer_p99_ms"] = round(verdict.answer_ms[name][1], 3)
                row["fit_seconds"] = round(self.fit_seconds.get(name, 0.0), 2)
            for name, scores in verdict.minus.items():
                minus.setdefault(name, {}).update(_flat(question, scores))
        asked: dict[str, Value] = {}
        for question, verdict in self.verdicts.items():
            asked[question] = {
                "questions": verdict.asked,
                "persons": verdict.persons,
                "targets": verdict.targets,
                **{f"{segment}_questions": count for segment, (count, _) in verdict.segments.items()},
            }
        return {
            **found,
            "full_minus": minus,
            "asked": asked,
            "not_asked": dict(self.silent),
            "split": f"{moment(self.period.first):%Y-%m-%dT%H:%M:%SZ}",
            "periods": self.periods,
            "ranks_by": list(self.ranks_by),
            "curves": [curve.as_json() for curve in self.curves],
            **self.costs,
        }

    def table(self) -> str:
        """Aligned lines, one block a question."""
        head = f"{self.name}: split at {moment(self.period.first):%Y-%m-%d %H:%M}"
        days = f", {self.periods} periods one after the other" if self.periods > 1 else ""
        blocks = [f"{head}{days}, full ranks by {', '.join(dict.fromkeys(self.ranks_by))}"]
        for question, verdict in self.verdicts.items():
            counts = f"{verdict.asked:,} questions of {verdict.persons:,} persons"
            blocks.append(f"\n{question}: {counts}, {verdict.targets:,} targets")
            blocks.append(_main(verdict))
            if len(verdict.segments) > 1:
                blocks.append(_segments(verdict))
        blocks += [f"\n{question}: {why}" for question, why in self.silent.items()]
        for curve in self.curves:
            blocks.append(f"\n{curve.table()}")
        return "\n".join(blocks)

    def plot(self) -> bytes:
        """PNG of the decisive metric of each question, one bar a recommender."""
        bars = {
            f"{question}, {metric}": {name: found[metric].mean for name, found in verdict.scores.items()}
            for question, verdict in self.verdicts.items()
            for metric in _DECISIVE[:1]
            if verdict.scores
        }
        return metric_bars(self.name, bars)

    def curve_plot(self) -> bytes:
        """PNG of accuracy against diversity and against time."""
        return curve_picture(self.name, self.curves)


def _flat(prefix: str, scores: Mapping[str, Score]) -> dict[str, Value]:
    flat: dict[str, Value] = {}
    for metric, score in scores.items():
        flat[f"{prefix}.{metric}"] = round(score.mean, 5)
        flat[f"{prefix}.{metric}_low"] = round(score.low, 5)
        flat[f"{prefix}.{metric}_high"] = round(score.high, 5)
    return flat


def _main(verdict: Verdict) -> str:
    head = ["", *_SHOWN, *(f"full - it, {metric}" for metric in _DECISIVE), *_BEYOND, "ms"]
    lines = [head]
    for name in verdict.answer_ms:
        if name not in verdict.scores:
            continue
        own = verdict.scores[name]
        interval = [f"{_number(own[m].mean)} ({_ends(own[m])})" for m in _DECISIVE]
        rest = [_number(own[metric].mean) for metric in _SHOWN[len(_DECISIVE) :]]
        minus = [
            f"{verdict.minus[name][m].mean:+.4f} ({verdict.minus[name][m].low:+.4f} to "
            f"{verdict.minus[name][m].high:+.4f})" if name in verdict.minus else ""
            for m in _DECISIVE
        ]  # fmt: skip
        beyond = [_number(verdict.beyond[name][figure]) for figure in _BEYOND]
        lines.append([name, *interval, *rest, *minus, *beyond, f"{verdict.answer_ms[name][0]:.2f}"])
    return aligned(lines) if len(lines) > 1 else "nobody whom the shop knew before"


def _segments(verdict: Verdict) -> str:
    names = list(verdict.segments)
    head = [_DECISIVE[0], *(f"{name} ({verdict.segments[name][0]:,})" for name in names)]
    lines = [head]
    for recommender in verdict.answer_ms:
        found = [verdict.segments[name][1][recommender][_DECISIVE[0]] for name in names]
        lines.append([recommender, *(f"{_number(one.mean)} ({_ends(one)})" for one in found)])
    return aligned(lines)


def _number(value: float) -> str:
    return "-" if isnan(value) else f"{value:.4f}" if value < 100 else f"{value:.1f}"


def _ends(score: Score) -> str:
    return f"{score.low:.4f} to {score.high:.4f}"
