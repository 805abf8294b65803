"""From the stream to the lake, and to the online store: how fast a backlog is drained.

``python -m benchmarks.drain --events 1000000 --json``
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import redis

from benchmarks.process import free_port
from benchmarks.report import MemorySampler, Stopwatch, log, report
from reco_assets.errors import RecoError
from reco_assets.events.contract import EVENT_SCHEMA
from reco_assets.events.drain import drain
from reco_assets.platform.lake import open_lake
from reco_assets.platform.redis import open_redis, stop_redis
from reco_assets.platform.settings import Settings
from reco_assets.platform.streams.open import open_stream
from reco_assets.platform.streams.stream import Stream
from reco_assets.simulator.parameters import Parameters
from reco_assets.simulator.shop import simulate
from reco_assets.streaming.follow import Parts, follow_stream
from reco_assets.streaming.microbatch import MOST

_APPENDED = 1_000


def main() -> int:
    """Fill a stream untimed and drain it twice: into raw events alone, and all the way; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--products", type=int, default=20_000)
    parser.add_argument("--days", type=int, default=1, help="days that the events are spread over")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            results = _measure(given, Path(folder))
    except RecoError as error:
        log(f"benchmarks.drain: {error}")
        return 1
    parameters = {name: getattr(given, name) for name in ("events", "users", "products", "days")}
    report("drain", parameters, results, given.json)
    return 0


def _measure(given: argparse.Namespace, folder: Path) -> dict[str, float]:
    shop = Parameters(
        users=given.users, products=given.products, days=given.days, seed=0, events=given.events
    )
    simulate(shop, folder / "shop")
    events = pl.read_parquet(folder / "shop" / "events" / "*.parquet")
    results: dict[str, float] = {}
    for goal in ("raw", "online"):
        settings = Settings(home=folder / goal, redis_port=free_port(), stream_most=2 * given.events + 1000)
        client = open_redis(settings)
        try:
            stream = open_stream(settings)
            fill(stream, events)
            log(f"{events.height:,} records in the stream; draining into {goal}")
            results |= _to_raw(settings, stream) if goal == "raw" else _to_online(settings, client)
        finally:
            stop_redis(settings)
    return results


def _to_raw(settings: Settings, stream: Stream) -> dict[str, float]:
    lake, count = open_lake(settings), 0
    every = MOST // len(stream.partitions())
    with MemorySampler() as memory, Stopwatch() as watch:
        while (drained := drain(lake, stream, every)).records:
            count += drained.records
    return {
        "raw_events_per_second": round(count / watch.seconds),
        "to_raw_seconds": round(watch.seconds, 2),
        "raw_peak_rss_mb": round(memory.peak_mb),
    }


def _to_online(settings: Settings, client: redis.Redis) -> dict[str, float]:
    parts = Parts.of(settings, client)
    count, steps = 0, dict[str, float]()
    with MemorySampler() as memory, Stopwatch() as watch:
        for batch in follow_stream(parts, clock=lambda: datetime.now(UTC), pause=lambda seconds: None):
            count += batch.drained.records
            log(f"{batch.drained.records:,} records: {batch.seconds}")
            for step, seconds in batch.seconds.items():
                steps[step] = steps.get(step, 0.0) + seconds
            if not batch.drained.waiting:
                break
    return {
        "online_events_per_second": round(count / watch.seconds),
        "to_online_seconds": round(watch.seconds, 2),
        "peak_rss_mb": round(memory.peak_mb),
        **{f"{step}_seconds": round(seconds, 2) for step, seconds in steps.items()},
    }


def fill(stream: Stream, events: pl.DataFrame) -> None:
    """Append ``events`` to ``stream`` as the collector does: each by its user, as JSON."""
    told = events.select(name for name in EVENT_SCHEMA if name in events.columns)
    lines = told.select(
        pl.col("user_id"),
        pl.struct(
            pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ") if name == "timestamp" else pl.col(name)
            for name in told.columns
        )
        .struct.json_encode()
        .alias("event"),
    )
    for part in lines.iter_slices(_APPENDED):
        stream.append([(user, event.encode()) for user, event in part.iter_rows()])


if __name__ == "__main__":
    sys.exit(main())
