"""What a micro-batch costs on histories of different lengths: time, rows read and files touched.

``python -m benchmarks.microbatch --history 1,10,100 --json`` (millions of events)
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from time import process_time
from typing import Self

import numpy as np
import polars as pl
import redis

from benchmarks.drain import fill
from benchmarks.histories import build_history, copy_of
from benchmarks.process import free_port
from benchmarks.report import Stopwatch, log, report
from reco_assets.errors import RecoError
from reco_assets.online.mark import read_mark
from reco_assets.platform.duckdb_engine import DuckDBEngine
from reco_assets.platform.lake import Lake, open_lake
from reco_assets.platform.redis import open_redis, stop_redis
from reco_assets.platform.run_files import KEYS, ROWS
from reco_assets.platform.settings import Settings
from reco_assets.platform.streams.open import open_stream
from reco_assets.platform.streams.stream import Stream
from reco_assets.streaming.compaction import APPENDED
from reco_assets.streaming.indexes import Indexes
from reco_assets.streaming.microbatch import MicroBatch, micro_batch


def main() -> int:
    """Time micro-batches on every history in turn; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--history", default="1,10,100", help="lengths of the histories, millions of events")
    parser.add_argument("--events", type=int, default=10_000, help="events of a micro-batch")
    parser.add_argument("--batches", type=int, default=11, help="micro-batches that are timed on each")
    parser.add_argument("--work", type=Path, help="keep the histories here, and measure on copies of them")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    lengths = [int(length) for length in given.history.split(",")]
    work = given.work or Path(tempfile.mkdtemp())
    try:
        shops, made = _measured(work, lengths, given.events, given.batches)
    except RecoError as error:
        log(f"benchmarks.microbatch: {error}")
        return 1
    finally:
        if given.work is None:
            shutil.rmtree(work)
    results = {f"{name}_{shop.millions}m": value for shop in shops for name, value in shop.results().items()}
    results |= made
    short, long = (pick(shops, key=lambda shop: shop.millions) for pick in (min, max))
    if short is not long:
        for name, ratio in short.ratios(long).items():
            results[f"{name}_{long.millions}m_to_{short.millions}m"] = ratio
        _tell(short, long)
    parameters = {name: getattr(given, name) for name in ("history", "events", "batches")}
    report("microbatch", parameters, results, given.json)
    return 0


@dataclass
class _Shop:
    """A home whose micro-batches are timed, and what they took."""

    millions: int
    settings: Settings
    lake: Lake
    client: redis.Redis
    stream: Stream
    indexes: Indexes
    users: pl.Series
    products: pl.Series
    clock: datetime
    seconds: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    steps: dict[str, list[float]] = field(default_factory=dict)
    rows: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    people: list[int] = field(default_factory=list)

    @classmethod
    @contextmanager
    def open(cls, home: Path, millions: int) -> Iterator[Self]:
        """The shop of ``home``, whose tables are there; its Redis ends afterwards."""
        settings = Settings(home=home, redis_port=free_port())
        lake, client = open_lake(settings), open_redis(settings)
        try:
            mark, span = read_mark(client), lake.span("silver/interactions")
            assert span is not None
            users = lake.scan("gold/user_days").select(pl.col("user_id").unique()).collect()["user_id"]
            products = lake.scan("silver/products").select(pl.col("product_id").unique()).collect()
            yield cls(
                millions,
                settings,
                lake,
                client,
                open_stream(settings),
                Indexes.of(settings, lake),
                users.sort(),
                products["product_id"].sort(),
                # the clock of the history: batches come as its last events, minute by minute
                mark.at if mark else datetime.combine(span[1], time(20), UTC),
            )
        finally:
            client.close()
            stop_redis(settings)

    def batch(self, events: int) -> tuple[MicroBatch, float, float]:
        """Take in new events of the next minute: the micro-batch, its seconds, and those of the processor."""
        self.clock += timedelta(minutes=1)
        fill(self.stream, _batch(events, self.clock, self.users, self.products))
        engine = DuckDBEngine(self.lake, memory_gb=self.settings.memory_gb)
        before = process_time()
        with Stopwatch() as watch:
            batch = micro_batch(
                engine, self.indexes, self.stream, self.client, self.settings, lambda: self.clock
            )
        engine.close()
        return batch, watch.seconds, process_time() - before

    def timed(self, events: int) -> None:
        """Take in new events, and note what it took."""
        files, found = _files(self.lake), self.indexes.rows_read
        batch, seconds, busy = self.batch(events)
        self.seconds.append(seconds)
        self.busy.append(busy)
        for step, took in batch.seconds.items():
            self.steps.setdefault(step, []).append(took)
        read = batch.drained.records + sum(one.rows_read for one in batch.advanced)
        self.rows.append(read + self.indexes.rows_read - found)
        self.files.append(len(_files(self.lake) - files))
        self.people.append(batch.refreshed.users if batch.refreshed is not None else 0)
        steps = " ".join(f"{step} {took:.2f}" for step, took in batch.seconds.items())
        log(f"{self.millions}m: {seconds:.2f} s, {self.people[-1]} users: {steps}")

    def results(self) -> dict[str, float]:
        """What the batches took, medians but for the fastest and the slowest."""
        return {
            "seconds": round(statistics.median(self.seconds), 3),
            "seconds_min": round(min(self.seconds), 3),
            "seconds_max": round(max(self.seconds), 3),
            "cpu_seconds": round(statistics.median(self.busy), 3),
            "rows_read": round(statistics.median(self.rows)),
            "files_touched": round(statistics.median(self.files)),
            "users": round(statistics.median(self.people)),
            **{f"{step}_seconds": round(statistics.median(took), 3) for step, took in self.steps.items()},
        }

    def ratios(self, other: Self) -> dict[str, float]:
        """How many times as long ``other`` takes, as a whole and in each step."""
        times = [("ratio", self.seconds, other.seconds), ("cpu_ratio", self.busy, other.busy)]
        times += [(f"{step}_ratio", took, other.steps[step]) for step, took in self.steps.items()]
        return {
            name: round(statistics.median(theirs) / statistics.median(ours), 3)
            for name, ours, theirs in times
        }


def _measured(
    work: Path, lengths: Sequence[int], events: int, batches: int
) -> tuple[list[_Shop], dict[str, float]]:
    """The shops of histories of so many million events after so many batches, and what indexes took."""
    made: dict[str, float] = {}
    for millions in lengths:
        made |= _prepare(work / f"{millions}m", millions, events)
    with ExitStack() as stack:
        copies = [stack.enter_context(copy_of(work / f"{millions}m")) for millions in lengths]
        shops = [
            stack.enter_context(_Shop.open(home, millions))
            for home, millions in zip(copies, lengths, strict=True)
        ]
        for home in copies:
            _warm(home / "index")
        for number in range(-1, batches):  # the first is not timed: it plans the queries
            for shop in shops:  # in turn, so that what else the machine does meets all of them alike
                if number < 0:
                    shop.batch(events)
                else:
                    shop.timed(events)
    return shops, made


def _prepare(home: Path, millions: int, events: int) -> dict[str, float]:
    """Build what is missing of a history: tables, indexes, the online store; what indexes took."""
    settings = Settings(home=home)
    build_history(settings, millions)
    lake = open_lake(settings)
    with Stopwatch() as watch:
        rows = Indexes.of(settings, lake).follow()
    size = sum(path.stat().st_size for path in (home / "index").rglob("*") if path.is_file())
    filled = home / "filled"
    if not filled.exists():
        log(f"{millions}m: filling the online store (not timed)")
        with _Shop.open(home, millions) as shop:
            shop.batch(events)
        filled.touch()
    results = {f"index_mb_{millions}m": round(size / 1e6)}
    return results | ({f"index_build_seconds_{millions}m": round(watch.seconds, 1)} if rows else {})


def _warm(index: Path) -> None:
    """Read the indexes through: where micro-batches have gone on for a while they are in memory."""
    for path in index.rglob("*"):
        if path.suffix in (KEYS, ROWS):
            with path.open("rb") as file:
                while file.read(1 << 24):
                    pass


def _tell(short: _Shop, long: _Shop) -> None:
    """A table of the steps, seconds: the fastest, the median and the slowest batch on both histories.

    What else the machine does shows in the seconds of the steps and hardly in those of the processor
    (``cpu``), which are this process' without Redis.
    """
    heads = [f"{shop.millions}m: min median max" for shop in (short, long)]
    log(f"{'':>14}  {heads[0]:>24}  {heads[1]:>24}  ratio")
    ratios = short.ratios(long)
    taken = [(step, f"{step}_ratio", took, long.steps[step]) for step, took in short.steps.items()]
    taken.append(("micro-batch", "ratio", short.seconds, long.seconds))
    taken.append(("cpu", "cpu_ratio", short.busy, long.busy))
    for name, ratio, *both in taken:
        told = [f"{min(took):8.2f}{statistics.median(took):8.2f}{max(took):8.2f}" for took in both]
        log(f"{name:>14}  {told[0]}  {told[1]}  {ratios[ratio]:.2f}")


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


def _files(lake: Lake) -> set[str]:
    return {uri for name in APPENDED if lake.exists(name) for uri in lake.files(name)}


if __name__ == "__main__":
    sys.exit(main())
