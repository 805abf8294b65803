"""Learning and judging one public split: its rows, its table, its picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.quality.cells import aligned
from benchmarks.quality.judging import Row, judge
from benchmarks.quality.learning import learn
from benchmarks.quality.tasks import Task
from benchmarks.report import MemorySampler, Stopwatch, Value, log
from reco_assets.monitoring.plots import metric_bars


@dataclass(frozen=True)
class Outcome:
    """What one task found."""

    task: Task
    rows: Mapping[str, Row]
    ranks_by: str
    questions: int
    costs: Mapping[str, float]

    def as_json(self) -> dict[str, Value]:
        """Each recommender's metrics, with the ends of their intervals, then what it cost."""
        found: dict[str, Value] = {}
        for name, row in self.rows.items():
            metrics: dict[str, Value] = {}
            for metric, score in row.scores.items():
                metrics[metric] = round(score.mean, 5)
                metrics[f"{metric}_low"] = round(score.low, 5)
                metrics[f"{metric}_high"] = round(score.high, 5)
            metrics["fit_seconds"] = round(row.fit_seconds, 2)
            metrics["answer_ms"] = round(row.answer_ms, 3)
            metrics["answer_p99_ms"] = round(row.answer_p99_ms, 3)
            found[name] = metrics
        return {**found, "ranks_by": self.ranks_by, "questions": self.questions, **self.costs}

    def table(self) -> str:
        """Aligned lines: a recommender a line, a metric a column, each with its interval."""
        head = ["", *self.task.metrics, "fit s", "answer ms", "p99 ms"]
        lines = [head]
        for name, row in self.rows.items():
            scores = [f"{one.mean:.4f} ({one.low:.4f} to {one.high:.4f})" for one in row.scores.values()]
            costs = [f"{row.fit_seconds:.1f}", f"{row.answer_ms:.2f}", f"{row.answer_p99_ms:.2f}"]
            lines.append([name, *scores, *costs])
        title = f"{self.task.name}: {self.questions:,} questions, full ranks by {self.ranks_by}"
        return f"{title}\n{aligned(lines)}"

    def plot(self) -> bytes:
        """PNG of the metrics, one bar a recommender."""
        metrics = list(self.task.metrics)[:2]
        bars = {one: {name: row.scores[one].mean for name, row in self.rows.items()} for one in metrics}
        return metric_bars(self.task.name, bars)


def measure(task: Task, most: int | None) -> Outcome:
    """Learn and judge one task, with time and memory of each."""

    def progress(told: str) -> None:
        log(f"{task.name}: {told}")

    with MemorySampler(0.25) as fitting, Stopwatch() as fit:
        learned = learn(task, progress)
    with MemorySampler(0.25) as answering, Stopwatch() as answer:
        rows, questions = judge(task, learned, most, progress)
    costs = {
        "fit_seconds": round(fit.seconds, 1),
        "answer_seconds": round(answer.seconds, 1),
        "answer_ms": round(rows["full"].answer_ms, 3),
        "fit_peak_rss_mb": round(fitting.peak_mb),
        "answer_peak_rss_mb": round(answering.peak_mb),
        "peak_rss_mb": round(max(fitting.peak_mb, answering.peak_mb)),
    }
    return Outcome(task, rows, learned.ranks_by, questions, costs)
