"""The options of ``python -m benchmarks.quality sessions|sequences|interactions``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.quality.definitions import WHOLE, interactions, sequences, sessions
from benchmarks.quality.public_splits import Outcome, measure
from benchmarks.quality.shop_command import positive
from benchmarks.quality.tasks import Task
from reco_assets.recommender.types import MOST, RECENT

SPLITS: Final = ("sessions", "sequences", "interactions")


def add_splits(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    """The sub-commands and their options."""
    one = commands.add_parser("sessions", parents=[common], help="next item of a session")
    one.add_argument("--train", type=Path, required=True, help="columns session, items")
    one.add_argument("--test", type=Path, required=True, help="columns prefix, target")
    one.add_argument("--k", type=_k, default=20, help="how many items an answer holds")
    one.add_argument("--recent", type=positive, default=RECENT, help="events that a source alone is given")

    one = commands.add_parser("sequences", parents=[common], help="last item of a sequence")
    one.add_argument("--data", type=Path, required=True, help="columns user, items")
    one.add_argument(
        "--learn-validation",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether the sources that answer the test have learned from the validation items too",
    )
    one.add_argument("--recent", type=positive, default=RECENT, help="events that a source alone is given")

    one = commands.add_parser("interactions", parents=[common], help="hidden items of a set")
    one.add_argument("--train", type=Path, required=True, help="columns user, items")
    one.add_argument("--test", type=Path, required=True, help="columns user, items")
    one.add_argument("--valid", type=Path, help="columns user, items; only to validate the ranker")
    one.add_argument("--recent", type=positive, default=WHOLE, help="events that a source alone is given")


def split_job(given: argparse.Namespace) -> Callable[[], Outcome]:
    """What the arguments of one of ``SPLITS`` ask for; the files are read when it runs."""
    return lambda: measure(_task(given), given.cases)


def _task(given: argparse.Namespace) -> Task:
    if given.command == "sessions":
        return sessions(given.train, given.test, given.k, given.recent)
    if given.command == "sequences":
        return sequences(given.data, given.learn_validation, given.recent)
    return interactions(given.train, given.test, given.valid, given.recent)


def _k(text: str) -> int:
    number = positive(text)
    if number > MOST:
        raise argparse.ArgumentTypeError(f"must be at most {MOST}, the longest answer, got {number}")
    return number
