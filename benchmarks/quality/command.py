"""The command line of the quality benchmark."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.quality.definitions import WHOLE, interactions, sequences, sessions
from benchmarks.quality.judging import Row, judge
from benchmarks.quality.learning import learn
from benchmarks.quality.tasks import Task
from benchmarks.report import MemorySampler, Stopwatch, Value, log, report
from reco_assets.errors import BadInput, RecoError
from reco_assets.monitoring.plots import metric_bars
from reco_assets.recommender.types import MOST, RECENT

#: Where the public files lie, beside a checkout.
DATA: Final = Path("../shared/data")


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
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        shown = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        ]
        title = f"{self.task.name}: {self.questions:,} questions, full ranks by {self.ranks_by}"
        return "\n".join([title, *shown])

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


def parser() -> argparse.ArgumentParser:
    """The sub-commands and their options."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    commands = made.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--cases", type=_positive, help="ask only so many questions, drawn at random")
    common.add_argument("--plot", type=_picture, help="write a picture of the metrics here (PNG)")
    common.add_argument("--json", action="store_true", help="print one JSON object")

    one = commands.add_parser("sessions", parents=[common], help="next item of a session")
    one.add_argument("--train", type=Path, required=True, help="columns session, items")
    one.add_argument("--test", type=Path, required=True, help="columns prefix, target")
    one.add_argument("--k", type=_k, default=20, help="how many items an answer holds")
    one.add_argument("--recent", type=_positive, default=RECENT, help="events that a source alone is given")

    one = commands.add_parser("sequences", parents=[common], help="last item of a sequence")
    one.add_argument("--data", type=Path, required=True, help="columns user, items")
    one.add_argument(
        "--learn-validation",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether the sources that answer the test have learned from the validation items too",
    )
    one.add_argument("--recent", type=_positive, default=RECENT, help="events that a source alone is given")

    one = commands.add_parser("interactions", parents=[common], help="hidden items of a set")
    one.add_argument("--train", type=Path, required=True, help="columns user, items")
    one.add_argument("--test", type=Path, required=True, help="columns user, items")
    one.add_argument("--valid", type=Path, help="columns user, items; only to validate the ranker")
    one.add_argument("--recent", type=_positive, default=WHOLE, help="events that a source alone is given")

    one = commands.add_parser("all", parents=[common], help="the three, on the public files")
    one.add_argument("--data", type=Path, default=DATA, help="folder of the files")
    return made


def tasks(given: argparse.Namespace) -> dict[str, Callable[[], Task]]:
    """The tasks that the arguments mean, by name; each reads its files when it is called."""
    if given.command == "sessions":
        return {"sessions": lambda: sessions(given.train, given.test, given.k, given.recent)}
    if given.command == "sequences":
        return {"sequences": lambda: sequences(given.data, given.learn_validation, given.recent)}
    if given.command == "interactions":
        return {"interactions": lambda: interactions(given.train, given.test, given.valid, given.recent)}
    digi = [given.data / "diginetica" / name for name in ("train_sessions.parquet", "test_cases.parquet")]
    beauty = given.data / "amazon_beauty" / "sequences.parquet"
    movies = [given.data / "ml_1m" / f"{part}.parquet" for part in ("train", "test", "valid")]
    missing = [str(path) for path in (*digi, beauty, *movies) if not path.is_file()]
    if missing:
        raise BadInput(
            f"the public files: {', '.join(missing)} not found", hint="name their folder by --data"
        )
    return {
        "diginetica": lambda: sessions(*digi),
        "amazon_beauty": lambda: sequences(beauty),
        "ml_1m": lambda: interactions(*movies),
    }


def main(arguments: list[str] | None = None) -> int:
    """Measure what the arguments ask for; the exit code."""
    given = parser().parse_args(arguments)
    try:
        found = {name: measure(make(), given.cases) for name, make in tasks(given).items()}
        for name, outcome in found.items():
            if given.plot is not None:
                path = given.plot if len(found) == 1 else given.plot.with_stem(f"{given.plot.stem}-{name}")
                path.write_bytes(outcome.plot())
    except (RecoError, OSError) as error:
        log(f"benchmarks.quality: {error}")
        return 1
    parameters: dict[str, Value] = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in vars(given).items()
        if name not in ("json", "plot")
    }
    results: dict[str, Value] = {name: outcome.as_json() for name, outcome in found.items()}
    if len(found) == 1:
        (results,) = (outcome.as_json() for outcome in found.values())
    for outcome in found.values():
        (log if given.json else print)(outcome.table())
    if given.json:
        report("quality", parameters, results, True)
        return 0
    costs: dict[str, Value] = {
        f"{name}_{key}": value for name, outcome in found.items() for key, value in outcome.costs.items()
    }
    report("quality", parameters, costs, False)
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, got {number}")
    return number


def _k(text: str) -> int:
    number = _positive(text)
    if number > MOST:
        raise argparse.ArgumentTypeError(f"must be at most {MOST}, the longest answer, got {number}")
    return number


def _picture(text: str) -> Path:
    """Refused at once, not after the measuring."""
    path = Path(text)
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"there is no folder {path.parent}")
    return path
