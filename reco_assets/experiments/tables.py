"""``gold/exposures`` and ``gold/experiment_results``: what the assets write, for any range of days."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Final

import polars as pl

from reco_assets.events.decision_rows import DECISIONS, DECISIONS_SCHEMA
from reco_assets.experiments.board import Board, drop
from reco_assets.experiments.definition import Experiment
from reco_assets.experiments.exposures import DECISION, EXPOSURES_SCHEMA, IMPRESSION, exposures
from reco_assets.experiments.findings import Findings, findings
from reco_assets.experiments.outcomes import BEFORE, INTERACTION, outcomes
from reco_assets.experiments.store import Store
from reco_assets.interactions.attribution import CLICK_WINDOW
from reco_assets.interactions.outcomes import IMPRESSIONS
from reco_assets.interactions.pipeline import INTERACTIONS
from reco_assets.platform.engine import Written
from reco_assets.platform.increments import until_alone
from reco_assets.platform.lake import Lake

EXPOSURES: Final = "gold/exposures"
RESULTS: Final = "gold/experiment_results"
#: Columns of ``gold/experiment_results``: a row a variant and metric, as known at the end of ``as_of``.
RESULTS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "as_of": pl.Date(),
    "experiment": pl.String(),
    "phase": pl.Int64(),
    "variant": pl.String(),
    "metric": pl.String(),
    "users_control": pl.Int64(),
    "users": pl.Int64(),
    "user_days": pl.Int64(),
    "control_value": pl.Float64(),
    "variant_value": pl.Float64(),
    "difference": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "lift": pl.Float64(),
    "lift_low": pl.Float64(),
    "lift_high": pl.Float64(),
    "p_value": pl.Float64(),
    "kept": pl.Float64(),
    "verdict": pl.String(),
    "ratio_p_value": pl.Float64(),
}
_RENAMED: Final = {"control": "control_value", "variant": "variant_value"}
_DAY: Final = timedelta(days=1)


def build_exposures(lake: Lake, first: date, last: date) -> Written:
    """``gold/exposures`` of the days ``first``..``last`` and of the day before, whose clicks still came in.

    Idempotent. Raises MissingTable where nothing was ever shown.
    """
    begin = first - CLICK_WINDOW
    days = (begin, last)

    def build() -> Written:
        onto = lake.open(EXPOSURES) if lake.exists(EXPOSURES) else None
        lake.ensure(DECISIONS, DECISIONS_SCHEMA)
        made = exposures(
            lake.scan(DECISIONS).filter(pl.col("decided_date").is_between(*days)).select(DECISION),
            lake.scan(IMPRESSIONS).filter(pl.col("event_date").is_between(*days)).select(IMPRESSION),
        )
        rows = made.cast(dict(EXPOSURES_SCHEMA)).to_arrow()  # type: ignore[arg-type]
        return Written(lake.replace_window(EXPOSURES, rows, begin, last, onto=onto), made.height)

    return until_alone(build)


def found(lake: Lake, board: Board, as_of: date) -> tuple[Findings, ...]:
    """What was known at the end of ``as_of`` of each experiment whose present phase had begun by then.

    Of one that has ended nothing is told after its last day.
    """
    if not lake.exists(EXPOSURES):
        return ()
    judged = []
    for experiment in board.experiments:
        ended = experiment.stopped_at is not None and _day(experiment.stopped_at) < as_of
        if _day(experiment.changed_at) <= as_of and not ended:
            users = outcomes(
                lake.scan(EXPOSURES).filter(
                    pl.col("event_date").is_between(_day(experiment.changed_at), as_of),
                    pl.col("experiment") == experiment.name,
                    pl.col("phase") == experiment.phase,
                ),
                lake.scan(INTERACTIONS)
                .filter(pl.col("event_date").is_between(_day(experiment.started_at) - BEFORE, as_of))
                .select(INTERACTION),
                experiment.started_at,
            )
            judged.append(findings(experiment, users, _end(as_of)))
    return tuple(judged)


def build_results(lake: Lake, board: Board, first: date, last: date) -> tuple[Written, tuple[Findings, ...]]:
    """``gold/experiment_results`` of the days ``first``..``last``, and the findings of the last day."""

    def build() -> tuple[Written, tuple[Findings, ...]]:
        onto = lake.open(RESULTS) if lake.exists(RESULTS) else None
        days = [first + number * _DAY for number in range((last - first).days + 1)]
        known = [found(lake, board, day) for day in days]
        told = [rows(one, day) for day, ones in zip(days, known, strict=True) for one in ones]
        made = pl.concat([pl.DataFrame(schema=RESULTS_SCHEMA), *told])
        version = lake.replace_window(RESULTS, made.to_arrow(), first, last, onto=onto)
        return Written(version, made.height), known[-1]

    return until_alone(build)


def rows(known: Findings, as_of: date) -> pl.DataFrame:
    """Rows of ``gold/experiment_results`` that say ``known``."""
    told = [
        {
            "as_of": as_of,
            "experiment": known.experiment,
            "phase": known.phase,
            **{_RENAMED.get(name, name): value for name, value in asdict(one.effect).items()},
            "variant": one.variant,
            "metric": one.metric,
            "users_control": one.users_control,
            "users": one.users,
            "user_days": one.user_days,
            "verdict": one.verdict,
            "ratio_p_value": known.ratio_p_value,
        }
        for one in known.comparisons
    ]
    return pl.DataFrame(told, schema=RESULTS_SCHEMA)


def guard(store: Store, known: Sequence[Findings], at: int) -> tuple[str, ...]:
    """Take every variant that surely harms out of its experiment; what was done, one line each.

    An experiment that has nothing left beside its control is stopped.
    """
    done = []
    board = store.read()
    for one in known:
        experiment = board.experiment(one.experiment)
        harmed = {harm.variant: harm.told for harm in reversed(one.harms)}
        for variant, told in harmed.items():
            if experiment.running and experiment.variant(variant).size and experiment.phase == one.phase:
                line = f"stopped {variant} of {experiment.name}: {told}"
                board = store.change(line, at, _dropped(experiment, variant, told, at))
                experiment = board.experiment(one.experiment)
                done.append(line)
    return tuple(done)


def _dropped(experiment: Experiment, variant: str, told: str, at: int) -> Callable[[Board], Board]:
    return lambda board: drop(board, experiment.name, variant, f"{variant}: {told}", at)


def _day(micros: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)).date()


def _end(day: date) -> int:
    return ((day - date(1970, 1, 1)).days + 1) * 86_400_000_000 - 1
