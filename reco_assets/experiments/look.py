"""A look at the experiments: what came of them is judged, harmful variants are taken out, readers are told.

Dagster looks by a sensor; who runs no Dagster has the micro-batches look between two of them.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from reco_assets.experiments.findings import Findings
from reco_assets.experiments.publish import publish
from reco_assets.experiments.store import Store
from reco_assets.experiments.tables import build_exposures, build_results, guard
from reco_assets.interactions.outcomes import OPEN, build_attributions, build_impressions
from reco_assets.platform.duckdb_engine import DuckDBEngine
from reco_assets.platform.engine import Engine, Written
from reco_assets.platform.lake import Lake, open_lake
from reco_assets.platform.redis import connect
from reco_assets.platform.settings import Settings

#: Seconds between two looks; each is a look at the results too, which the intervals allow for.
LOOK_SECONDS: Final = 300
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Judged:
    """What a look has written, found, and done about it: a line for every variant that was taken out."""

    written: Written
    known: tuple[Findings, ...]
    stopped: tuple[str, ...]


def judge(lake: Lake, store: Store, first: date, last: date, at: datetime) -> Judged:
    """Judge by ``gold/exposures`` of the days ``first``..``last``; take out at ``at`` what surely harms.

    Raises MissingTable, MissingDependency, redis.RedisError.
    """
    written, known = build_results(lake, store.read(), first, last)
    stopped = guard(store, known, int(at.timestamp() * 1e6))
    publish(store.client, lake, known)
    return Judged(written, known, stopped)


def look(engine: Engine, store: Store, at: datetime) -> Judged:
    """Bring the tables of the day of ``at`` up to ``silver/interactions``, and judge by them.

    The day before is made anew too, save its results: its last minutes have come since it was looked at.

    Raises as :func:`judge`.
    """
    today = at.date()
    first = today - _DAY
    build_attributions(engine, first, today)
    build_impressions(engine, first - OPEN, today)
    build_exposures(engine.lake, first, today)
    return judge(engine.lake, store, today, today, at)


@dataclass
class Looks:
    """Looks of a process that does something else between them."""

    settings: Settings
    _last: datetime | None = field(default=None, repr=False)

    def after(self, now: datetime) -> tuple[str, ...]:
        """Look, where the last turn is long enough ago and an experiment runs; who was taken out.

        Raises as :func:`judge`; the next turn is as late then as ever.
        """
        if self._last is not None and (now - self._last).total_seconds() < LOOK_SECONDS:
            return ()
        self._last = now
        with connect(self.settings) as client:
            store = Store.of(self.settings, client)
            if not store.read().running:
                return ()
            with closing(_engine(self.settings)) as engine:
                return look(engine, store, now).stopped


def _engine(settings: Settings) -> DuckDBEngine:
    return DuckDBEngine(open_lake(settings), threads=settings.threads, memory_gb=settings.memory_gb)
