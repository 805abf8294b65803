"""What a micro-batch costs on histories of different lengths: time, rows read and files touched.

``python -m benchmarks.microbatch --history 1,10,100 --json`` (millions of events)
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from benchmarks.drain import fill, free_port
from benchmarks.report import Stopwatch, log, report
from reco_assets.catalogue.history import product_history
from reco_assets.catalogue.ingest import ingest_landing
from reco_assets.errors import RecoError
from reco_assets.events.landing import import_landing
from reco_assets.features.pipeline import BUILDS
from reco_assets.interactions.pipeline import build_interactions
from reco_assets.online.mark import read_mark
from reco_assets.platform.duckdb_engine import DuckDBEngine
from reco_assets.platform.lake import Lake, open_lake
from reco_assets.platform.redis import open_redis, stop_redis
from reco_assets.platform.settings import Settings
from reco_assets.platform.streams.open import open_stream
from reco_assets.simulator.parameters import Parameters
from reco_assets.simulator.shop import simulate
from reco_assets.streaming.compaction import APPENDED
from reco_assets.streaming.indexes import Indexes
from reco_assets.streaming.microbatch import MicroBatch, micro_batch

#: Events of a history for each of its users, as in the other benchmarks.
_EVENTS_A_USER: Final = 100
#: A month is the features' horizon, so that every day of the history counts.
_DAYS: Final = 30
_PRODUCTS: Final = 50_000


def main() -> int:
    """Measure micro-batches on each history, one after the other; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--history", default="1,10,100", help="lengths of the histories, millions of events")
    parser.add_argument("--events", type=int, default=10_000, help="events of a micro-batch")
    parser.add_argument("--batches", type=int, default=7, help="micro-batches that are timed on each")
    parser.add_argument("--work", type=Path, help="keep the homes here, and use them again")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    lengths = [int(length) for length in given.history.split(",")]
    results: dict[str, float] = {}
    work = given.work or Path(tempfile.mkdtemp())
    try:
        for length in lengths:
            results |= _measure(length, given.events, given.batches, work / f"{length}m")
    except RecoError as error:
        log(f"benchmarks.microbatch: {error}")
        return 1
    finally:
        if given.work is None:
            shutil.rmtree(work)
    short, long = min(lengths), max(lengths)
    if short != long:
        ratio = results[f"seconds_{long}m"] / results[f"seconds_{short}m"]
        results[f"ratio_{long}m_to_{short}m"] = round(ratio, 3)
    report("microbatch", {"history": given.history, "events": given.events}, results, given.json)
    return 0


def _measure(millions: int, events: int, batches: int, home: Path) -> dict[str, float]:
    settings = Settings(home=home, redis_port=free_port())
    lake = open_lake(settings)
    last = _history(settings, lake, millions)
    client = open_redis(settings)
    try:
        stream, indexes = open_stream(settings), Indexes.of(settings, lake)
        users = lake.scan("gold/user_days").select(pl.col("user_id").unique()).collect()["user_id"].sort()
        products = lake.scan("silver/products").select(pl.col("product_id").unique()).collect()["product_id"]
        seconds, steps, done = [], dict[str, list[float]](), []
        # the clock of the history: batches come as its last events, minute by minute
        mark = read_mark(client)
        clock = mark.at if mark else datetime(last.year, last.month, last.day, 20, 0, tzinfo=UTC)
        for number in range(-2, batches):  # two first, in which indexes and the online store are filled
            clock += timedelta(minutes=1)
            fill(stream, _batch(events, clock, users, products.sort()))
            files, found = _files(lake), indexes.rows_read
            engine = DuckDBEngine(lake, memory_gb=settings.memory_gb)
            with Stopwatch() as watch:
                batch = micro_batch(engine, indexes, stream, client, settings, lambda at=clock: at)  # type: ignore[misc]
            engine.close()
            log(f"{millions}m, batch {number}: {watch.seconds:.2f} s {_rounded(batch.seconds)}")
            if number >= 0:
                seconds.append(watch.seconds)
                done.append((batch, len(_files(lake) - files), indexes.rows_read - found))
                for step, took in batch.seconds.items():
                    steps.setdefault(step, []).append(took)
    finally:
        stop_redis(settings)
    rows = [_rows_read(batch) + found for batch, _, found in done]
    return {
        f"seconds_{millions}m": round(statistics.median(seconds), 3),
        f"seconds_min_{millions}m": round(min(seconds), 3),
        f"rows_read_{millions}m": round(statistics.median(rows)),
        f"files_touched_{millions}m": round(statistics.median([touched for _, touched, _ in done])),
        f"users_{millions}m": _written(done[-1][0]),
        **{f"{step}_seconds_{millions}m": round(statistics.median(s), 3) for step, s in steps.items()},
    }


def _history(settings: Settings, lake: Lake, millions: int) -> date:
    """Build the tables of a history of so many events, unless they are there; its last day."""
    parameters = Parameters(
        users=millions * 1_000_000 // _EVENTS_A_USER,
        products=_PRODUCTS,
        days=_DAYS,
        seed=0,
        events=millions * 1_000_000,
    )
    done = settings.home / "built"
    if not done.exists():
        log(f"building a history of {millions} million events (not timed)")
        simulate(parameters, settings.landing_folder)
        now = datetime.now(UTC)
        import_landing(lake, settings.landing_folder, now)
        ingest_landing(lake, settings.landing_folder, now)
        seen = lake.scan("raw/events").filter(pl.col("product_id").is_not_null())
        first_seen = seen.group_by("product_id").agg(first_seen=pl.col("timestamp").min())
        products = product_history(lake.scan("raw/catalogue"), first_seen.collect(engine="streaming"))
        lake.replace("silver/products", products.to_arrow())
        engine = DuckDBEngine(lake, memory_gb=settings.memory_gb)
        span = lake.span("raw/events")
        assert span is not None
        day = span[0]
        while day <= span[1]:  # in stretches, so that a long history needs no more memory
            end = min(span[1], day + timedelta(days=4))
            build_interactions(engine, day, end)
            day = end + timedelta(days=1)
        for name, build in BUILDS.items():
            log(f"  {name}")
            build(engine, *span)
        engine.close()
        done.write_text(span[1].isoformat())
    return date.fromisoformat(done.read_text())


def _batch(events: int, clock: datetime, users: pl.Series, products: pl.Series) -> pl.DataFrame:
    """New events of the minute before ``clock``: users alike, products with a long tail."""
    dice = np.random.default_rng(int(clock.timestamp()))
    micros = int(clock.timestamp() * 1e6) - np.sort(dice.integers(0, 50_000_000, events))[::-1]
    kinds = dice.choice(["click", "add_to_cart", "purchase"], events, p=[0.9, 0.07, 0.03])
    return pl.DataFrame(
        {
            "event_id": [f"live-{clock:%H%M}-{place}" for place in range(events)],
            "user_id": users.gather(dice.integers(0, len(users), events)),
            "event_type": kinds,
            "product_id": products.gather(dice.zipf(1.3, events) % len(products)),
            "timestamp": pl.Series(micros).cast(pl.Datetime("us", "UTC")),
            "price": np.round(dice.random(events) * 100, 2),
        }
    )


def _rows_read(batch: MicroBatch) -> int:
    return batch.drained.records + sum(one.rows_read for one in batch.advanced)


def _written(batch: MicroBatch) -> int:
    return batch.refreshed.users if batch.refreshed is not None else 0


def _files(lake: Lake) -> set[str]:
    return {uri for name in APPENDED if lake.exists(name) for uri in lake.files(name)}


def _rounded(seconds: dict[str, float]) -> dict[str, float]:
    return {step: round(took, 2) for step, took in seconds.items()}


if __name__ == "__main__":
    sys.exit(main())
