"""A shop's log through the whole project: learned from up to the split, and asked about the rest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import polars as pl

from benchmarks.quality.beyond import Beyond
from benchmarks.quality.curve import Curve, curves
from benchmarks.quality.live_shop import Known, LiveShop
from benchmarks.quality.periods import (
    Period,
    asked_period,
    days_of,
    discovery,
    inside,
    moment,
    purchases,
    session_steps,
)
from benchmarks.quality.questions import (
    DISCOVERY,
    PURCHASES,
    QUESTIONS,
    SESSION,
    Asked,
    Question,
    people_of,
    policy_of,
)
from benchmarks.quality.rivals import rivals
from benchmarks.quality.shop_files import ShopFiles, read_log
from benchmarks.quality.shop_judging import Board
from benchmarks.quality.shop_options import STEPS, Options, drawn, home_of
from benchmarks.quality.shop_report import ShopOutcome
from benchmarks.report import MemorySampler, Stopwatch
from reco_assets.candidates.sources import BLEND as EVEN
from reco_assets.candidates.sources import SOURCES
from reco_assets.errors import BadInput
from reco_assets.ranking.evaluation import BLEND, FULL
from reco_assets.recommender.bundle import Bundle

Progress = Callable[[str], None]


def judge_shop(name: str, files: ShopFiles, options: Options, progress: Progress) -> ShopOutcome:
    """Learn from what is before the split, and ask about what is after it.

    Raises BadInput where nobody can be asked anything, GraphFailed where the graph fails.
    """
    log = read_log(files, datetime.now(UTC), progress)
    period = asked_period(log, options.split, options.days)
    silent = _silent(log, period)
    if len(silent) == len(QUESTIONS):
        raise BadInput(
            f"splitting at {moment(period.first):%Y-%m-%d %H:%M}: there is nobody to judge; "
            + "; ".join(f"{question}: {why}" for question, why in silent.items()),
            hint="choose an earlier --split, more --days, or a longer log",
        )
    with home_of(options.home) as home:
        shop = LiveShop(home, files, progress)
        try:
            return _run(name, shop, log, period, options, silent)
        finally:
            shop.close()


def _run(
    name: str, shop: LiveShop, log: pl.DataFrame, period: Period, options: Options, silent: dict[str, str]
) -> ShopOutcome:
    with MemorySampler(0.25) as fitting, Stopwatch() as fit:
        shop.take_in(period.first)
        shop.materialize(decisions=options.decisions)
    seconds = {
        step.removeprefix("candidates_"): took
        for step, took in shop.steps.items()
        if step.startswith("candidates_")
    }
    seconds |= {FULL: fit.seconds, BLEND: sum(seconds.values())}
    boards = {question: Board(question) for question in QUESTIONS if question not in silent}
    ranks_by: list[str] = []
    found: list[Curve] = []
    trained = period.first
    periods = days_of(period) if options.rolling else [period]
    with MemorySampler(0.25) as answering, Stopwatch() as answer:
        for number, part in enumerate(periods):
            if number:
                shop.take_in(part.first)
                due = bool(options.retrain) and number % options.retrain == 0
                if due and len(inside(log, Period(trained, part.first))):
                    shop.materialize(trained, options.decisions)
                    trained = part.first
                else:
                    shop.follow()
            if not len(inside(log, part)):
                continue
            known = shop.known(part.first, people_of(log, part))
            ranks_by.append(ranked_by(known.bundle))
            found += _ask(
                boards, log, part, known, options, shop.progress, curve=options.curve and not number
            )
    verdicts = {
        question: verdict for question, board in boards.items() if (verdict := board.verdict()) is not None
    }
    served = [verdict.answer_ms[FULL][0] for verdict in verdicts.values()]
    costs = {
        "fit_seconds": round(fit.seconds, 1),
        "answer_seconds": round(answer.seconds, 1),
        "answer_ms": round(float(np.mean(served)), 3),
        "fit_peak_rss_mb": round(fitting.peak_mb),
        "answer_peak_rss_mb": round(answering.peak_mb),
        "peak_rss_mb": round(max(fitting.peak_mb, answering.peak_mb)),
    }
    return ShopOutcome(name, period, len(periods), ranks_by, verdicts, silent, seconds, costs, found)


def _ask(
    boards: dict[str, Board],
    log: pl.DataFrame,
    period: Period,
    known: Known,
    options: Options,
    progress: Progress,
    *,
    curve: bool,
) -> list[Curve]:
    """Put the questions of one period to everybody."""
    asked = Asked(log, period, known)
    look = Beyond.of(known.bundle, asked.past)
    found: list[Curve] = []
    for question, table in asked.tables().items():
        if question not in boards:
            continue
        most = options.cases or (STEPS if question == SESSION else None)
        policy = policy_of(question, known.bundle.policy)
        some: list[Question] = list(asked.questions(question, drawn(table, most)))
        answers = rivals(known.bundle, policy, asked.past, known.at)
        boards[question].ask(
            some,
            answers,
            look,
            lambda told, at=question: progress(f"{period.name}, {at}: {told}"),  # type: ignore[misc]
        )
        if curve and question != SESSION and some:
            progress(f"{period.name}, {question}: turning the policy's knobs")
            found += curves(question, some, known.bundle, policy, look)
    return found


def _silent(log: pl.DataFrame, period: Period) -> dict[str, str]:
    """The questions that nobody can be asked, and why."""
    said: dict[str, str] = {}
    if purchases(log, period).is_empty():
        said[PURCHASES] = "nobody buys anything in the test period"
    if discovery(log, period).is_empty():
        said[DISCOVERY] = "nobody meets a new product in the test period"
    if session_steps(log, period)[1].is_empty():
        said[SESSION] = "no session of the test period goes from one product to another at a later time"
    return said


def ranked_by(bundle: Bundle) -> str:
    """``ranker``, ``blend`` or the one source whose order is taken."""
    if bundle.ranker is not None:
        return "ranker"
    weights = bundle.manifest.blend
    return "blend" if weights == EVEN else list(SOURCES)[int(np.argmax(weights))]
