"""A shop's log replayed through ``POST /events``: the tables must equal those of importing the file.

``python -m benchmarks.replay --speed 100 --json ../shared/data/rees46_2019_oct_fragment.csv.gz``

One home gets the file by ``reco import rees46`` and every table by the batch builds. In the other the
same events, with the same ids and times, come over HTTP at ``--speed`` times the speed at which they
happened, while ``reco stream`` follows. Both have the product catalogue that the file observes.
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Final, cast

import polars as pl

from benchmarks.report import Value, log, report
from benchmarks.streaming_home import (
    environment_of,
    last_micro_batch,
    private,
    running,
    until_it_is_drained,
)
from reco_assets.catalogue.history import product_history
from reco_assets.errors import MissingDependency, RecoError
from reco_assets.events.contract import EVENT_SCHEMA, EVENTS, QUARANTINE
from reco_assets.features.meaning import FOLLOWING, differences
from reco_assets.features.pipeline import BUILDS
from reco_assets.interactions.pipeline import build_interactions
from reco_assets.platform.duckdb_engine import DuckDBEngine
from reco_assets.platform.lake import Lake, open_lake
from reco_assets.platform.settings import Settings

FILE: Final = Path(__file__).parents[2] / "shared" / "data" / "rees46_2019_oct_fragment.csv.gz"
#: Events that fall due within so many seconds are sent together, at most so many.
TICK_SECONDS: Final = 0.05
TOGETHER: Final = 500
STREAM_SECONDS: Final = 2.0


def main() -> int:
    """Import, replay, compare; the exit code is not 0 where a table differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", type=Path, nargs="?", default=FILE, help="a REES46 log")
    parser.add_argument("--speed", type=float, default=100.0, help="times the real speed")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            results = run(Path(folder), given.file, given.speed)
    except RecoError as error:
        log(f"benchmarks.replay: {error}")
        return 1
    report("replay", {"file": given.file.name, "speed": given.speed}, results, given.json)
    return 1 if results["table_differences"] or results["rejected"] else 0


def run(folder: Path, file: Path, speed: float) -> dict[str, Value]:
    """Rows of each table that differ between the imported and the replayed ``file``, and what it took."""
    imported = _imported(folder / "imported", file)
    settings = private(folder / "replayed", STREAM_SECONDS)
    lake = open_lake(settings)
    lake.replace("silver/products", imported.open("silver/products").to_pyarrow_table())
    events = imported.scan(EVENTS).sort("timestamp", "delivery_position").collect()
    times = events["timestamp"].dt.timestamp("us").to_numpy() / 1e6
    span = float(times[-1] - times[0])
    log(f"{events.height:,} events of {span:,.0f} s, replayed in {span / speed:,.0f} s")
    with running(settings, folder / "replayed") as home:
        started = time.monotonic()
        rejected = _replayed(settings.service_port, events, times - times[0], speed)
        seconds = time.monotonic() - started
        until_it_is_drained(settings)
        home.follower.end()
        last_micro_batch(settings)
        batches = (lake.version(EVENTS) or 0) - 1
        with closing(DuckDBEngine(lake)) as ours, closing(DuckDBEngine(imported)) as theirs:
            found = differences(ours, theirs)
    return {
        "events": events.height,
        "rows_compared": sum(imported.rows(name) for name in FOLLOWING),
        "table_differences": sum(found.values()),
        "tables_that_differ": sorted(found),
        "rejected": rejected,
        "quarantined_by_import": imported.rows(QUARANTINE),
        "commits_to_raw_events": batches,
        "span_seconds": round(span, 1),
        "replay_seconds": round(seconds, 1),
        "events_per_second": round(events.height / seconds, 1),
    }


def _imported(folder: Path, file: Path) -> Lake:
    """The lake of a home that was given the file: ``reco import rees46``, then the batch builds."""
    settings = Settings(home=folder)
    command = [sys.executable, "-m", "reco_assets.cli.main", "import", "rees46", str(file), "--json"]
    done = subprocess.run(command, env=environment_of(settings), capture_output=True, text=True, check=False)
    if done.returncode:
        raise MissingDependency(f"importing {file}: {done.stderr.strip()}")
    log(f"imported: {done.stdout.strip()}")
    lake = open_lake(settings)
    seen = (
        lake.scan(EVENTS)
        .filter(pl.col("product_id").is_not_null())
        .group_by("product_id")
        .agg(first_seen=pl.col("timestamp").min())
    )
    lake.replace("silver/products", product_history(lake.scan("raw/catalogue"), seen).to_arrow())
    first, last = cast("tuple[date, date]", lake.span(EVENTS))
    with closing(DuckDBEngine(lake)) as engine:
        build_interactions(engine, first, last)
        for build in BUILDS.values():
            build(engine, first, last)
    return lake


def _replayed(port: int, events: pl.DataFrame, offsets: pl.Series, speed: float) -> int:
    """Send every event when it is due; how many were rejected. A batch is sent until it is accepted."""
    due = [float(offset) / speed for offset in offsets]
    told = events.select(
        pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ") if name == "timestamp" else pl.col(name)
        for name in EVENT_SCHEMA
    )
    bodies = [
        json.dumps({name: value for name, value in row.items() if value is not None})
        for row in told.iter_rows(named=True)
    ]
    rejected = 0
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    started = time.monotonic()
    for first, last in _together(due):
        time.sleep(max(0.0, started + due[last - 1] - time.monotonic()))
        body = f"[{','.join(bodies[first:last])}]".encode()
        while True:
            connection.request("POST", "/events", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            content = response.read()
            if response.status == http.client.ACCEPTED:
                break
            log(f"sent again: {content.decode()}")
            time.sleep(1.0)
        rejected += len(json.loads(content)["rejected"])
    connection.close()
    return rejected


def _together(due: list[float]) -> Iterator[tuple[int, int]]:
    """Half-open ranges of events that are sent in one request."""
    first = 0
    for place in range(1, len(due) + 1):
        if place == len(due) or due[place] > due[first] + TICK_SECONDS or place - first == TOGETHER:
            yield first, place
            first = place


if __name__ == "__main__":
    sys.exit(main())
