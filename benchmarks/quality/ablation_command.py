"""``python -m benchmarks.quality ablation sessions|shop``: options, and what is printed."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.quality.ablation import ALL, Ablated, ablate
from benchmarks.quality.cells import aligned
from benchmarks.quality.definitions import sessions
from benchmarks.quality.leaving_out import groups
from benchmarks.quality.lessons import Exam, session_exam, shop_exam
from benchmarks.quality.shop_command import add_log_arguments, options_of, positive
from benchmarks.quality.shop_files import open_files
from benchmarks.report import MemorySampler, Stopwatch, Value, log
from reco_assets.candidates.sources import SOURCES
from reco_assets.monitoring.plots import interval_panels
from reco_assets.ranking.training import TrainingBudget

#: Questions of each kind, where ``--cases`` says nothing.
CASES: Final = 5_000
#: Decisions that each ranker learns from, where ``--decisions`` says nothing: a third of a retraining's.
DECISIONS: Final = 10_000
#: How often each ranker is trained, where ``--trainings`` says nothing.
TRAININGS: Final = 3


@dataclass(frozen=True)
class AblationOutcome:
    """What leaving out one thing after the other found."""

    name: str
    found: Mapping[str, Ablated]
    trainings: int
    costs: Mapping[str, float]

    def as_json(self) -> dict[str, Value]:
        """By what is left out: each metric with its interval, and the difference to leaving out nothing."""
        told: dict[str, Value] = {}
        for name, one in self.found.items():
            row: dict[str, Value] = {}
            for metric, score in one.scores.items():
                less = one.minus[metric]
                row[metric] = round(score.mean, 5)
                row[f"{metric}_low"], row[f"{metric}_high"] = round(score.low, 5), round(score.high, 5)
                row[f"{metric}_minus_all"] = round(less.mean, 5)
                row[f"{metric}_minus_all_low"] = round(less.low, 5)
                row[f"{metric}_minus_all_high"] = round(less.high, 5)
            told["full" if name == ALL else f"without {name}"] = row
        luck = {f"{metric}_luck": round(spread, 5) for metric, spread in self.found[ALL].luck.items()}
        return {**told, "trainings": self.trainings, **luck, **self.costs}

    def table(self) -> str:
        """A line for each thing that is left out: the metric, and the difference where it is apart from 0."""
        metrics = list(self.found[ALL].scores)
        lines = [["left out", *(cell for metric in metrics for cell in (metric, "minus all (95 %)"))]]
        for name, one in self.found.items():
            cells = []
            for metric in metrics:
                less = one.minus[metric]
                apart = "" if less.low <= 0.0 <= less.high else " *"
                interval = f"{less.mean:+.4f} ({less.low:+.4f} to {less.high:+.4f}){apart}"
                cells += [f"{one.scores[metric].mean:.4f}", "" if name == ALL else interval]
            lines.append(["nothing" if name == ALL else name, *cells])
        luck = ", ".join(f"{spread:.4f} in {metric}" for metric, spread in self.found[ALL].luck.items())
        trained = f"trained anew {self.trainings} times, which differ by {luck} (standard deviation)"
        how = trained if self.trainings > 1 else "trained anew once, whose luck is not in the intervals"
        return f"{self.name}: each left out, {how}; * is apart from 0\n{aligned(lines)}"

    def plot(self) -> bytes:
        """PNG: what becomes of each metric without each; what is apart from 0 stands out."""
        changes = {
            metric: {
                name: (one.minus[metric].mean, one.minus[metric].low, one.minus[metric].high)
                for name, one in self.found.items()
                if name != ALL
            }
            for metric in self.found[ALL].scores
        }
        return interval_panels(f"{self.name}: left out, minus all", changes)


def add_ablation(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    """The sub-command and its options."""
    made = commands.add_parser("ablation", help="leave out each source and each group of features")
    kinds = made.add_subparsers(dest="kind", required=True)
    what = argparse.ArgumentParser(add_help=False)
    what.add_argument(
        "--only", type=_things, default=(), help=f"of {', '.join((*SOURCES, *groups()))}: with commas between"
    )
    what.add_argument(
        "--decisions", type=positive, default=DECISIONS, help="that each ranker learns from [%(default)s]"
    )
    what.add_argument(
        "--trainings",
        type=positive,
        default=TRAININGS,
        help="of each ranker, with other dice: their mean is told [%(default)s]",
    )
    one = kinds.add_parser("sessions", parents=[common, what], help="next item of a session")
    one.add_argument("--train", type=Path, required=True, help="columns session, items")
    one.add_argument("--test", type=Path, required=True, help="columns prefix, target")
    one.add_argument("--k", type=positive, default=20, help="how many items an answer holds")
    one = kinds.add_parser("shop", parents=[common, what], help="a shop's own log")
    add_log_arguments(one)


def ablation_job(given: argparse.Namespace) -> Callable[[], AblationOutcome]:
    """What the arguments of ``ablation`` ask for; the files are looked at when it runs."""

    def job() -> AblationOutcome:
        cases: int = given.cases or CASES
        budget = TrainingBudget(train_decisions=given.decisions)
        if given.kind == "sessions":
            with MemorySampler(0.25) as memory, Stopwatch() as watch:
                exam = session_exam(
                    sessions(given.train, given.test, given.k), cases, budget, _told("sessions")
                )
                found = _ablated(exam, given)
        else:
            name = given.paths[0].name.split(".")[0]
            files = open_files(given.paths, given.format, given.map, given.event_types)
            with (
                MemorySampler(0.25) as memory,
                Stopwatch() as watch,
                shop_exam(name, files, options_of(given, cases), budget, _told(name)) as exam,
            ):
                found = _ablated(exam, given)
        costs = {"seconds": round(watch.seconds, 1), "peak_rss_mb": round(memory.peak_mb)}
        return AblationOutcome(exam.name, found, given.trainings, costs)

    return job


def _ablated(exam: Exam, given: argparse.Namespace) -> dict[str, Ablated]:
    return ablate(exam.lesson, exam.sheets, given.only, given.trainings, _told(exam.name))


def _told(name: str) -> Callable[[str], None]:
    return lambda said: log(f"{name}: {said}")


def _things(text: str) -> tuple[str, ...]:
    known = (*SOURCES, *groups())
    named = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in named if name not in known]
    if unknown or not named:
        raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}; there are {', '.join(known)}")
    return named
