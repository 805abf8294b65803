"""The law: whatever happens on the way, the tables end as one batch run over all events makes them."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from pathlib import Path

import polars as pl
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from reco_assets.catalogue.changes.purchases import SOURCE
from reco_assets.catalogue.history import ORDERS_SCHEMA
from reco_assets.errors import MissingTable
from reco_assets.features.pipeline import BUILDS
from reco_assets.interactions.pipeline import build_interactions
from reco_assets.platform.duckdb_engine import DuckDBEngine
from reco_assets.platform.engine import Engine
from reco_assets.platform.lake import Lake
from reco_assets.streaming.indexes import Indexes
from reco_assets.streaming.microbatch import advance_tables
from tests.features.lakes import build, deliver, products, raw, stock
from tests.features.shops import SHELF, random_events
from tests.streaming.tables import Killed, MortalLake, assert_same_tables

FIRST, DAYS = date(2024, 5, 1), 4
LAST = FIRST + timedelta(days=DAYS - 1)
STEPS: dict[str, Callable[[Engine, date, date], object]] = {"interactions": build_interactions, **BUILDS}


@contextmanager
def opened(lake: Lake) -> Iterator[Engine]:
    engine = DuckDBEngine(lake, threads=2, memory_gb=1)
    try:
        yield engine
    finally:
        engine.close()


def shop(seed: int, count: int) -> pl.DataFrame:
    """Events of which some come twice, and a few come again with another content or another day."""
    dice = random.Random(seed)
    rows = random_events(seed=seed, count=count, first=FIRST, days=DAYS)
    again = rows.sample(fraction=0.05, seed=seed)
    moved = again.with_columns(pl.col("timestamp") + pl.duration(hours=dice.choice([-30, -1, 1, 25])))
    inside = pl.col("timestamp").dt.date().is_between(FIRST, LAST)
    changed = again.with_columns(price=pl.lit(9.75))
    every = pl.concat([rows, moved.filter(inside), changed])
    bought = pl.col("event_type") == "purchase"
    told = every.with_columns(source=pl.when(bought).then(pl.lit(SOURCE)).otherwise("source"))
    return told.sample(fraction=1.0, shuffle=True, seed=seed)


def order_lines(rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """``silver/orders`` of the purchases of ``rows``: some lines are cancelled, some deleted."""
    dice = random.Random(seed)
    bought = rows.filter(pl.col("source") == SOURCE).select("event_id", ordered_at="timestamp")
    lines = bought.unique().sort("event_id", "ordered_at").with_columns(valid_from="ordered_at")
    fate = {
        line: dice.choice(["paid", "paid", "Cancelled", "deleted"]) for line in lines["event_id"].unique()
    }
    fates = pl.col("event_id").replace_strict(fate, return_dtype=pl.String)
    ended = pl.col("valid_from").shift(-1).over("event_id")
    went = pl.when(fates == "deleted").then(pl.col("valid_from") + pl.duration(hours=1))
    lines = lines.with_columns(status=fates, valid_to=ended.fill_null(went))
    others = [pl.lit(None, kind).alias(name) for name, kind in ORDERS_SCHEMA.items() if name not in lines]
    return lines.with_columns(others).select(list(ORDERS_SCHEMA))


operations = st.lists(
    st.one_of(
        st.tuples(st.just("advance"), st.integers(0, 24)),
        st.tuples(st.just("backfill"), st.sampled_from(sorted(STEPS)), st.integers(0, 3), st.integers(0, 3)),
        st.tuples(st.just("again"), st.integers(0, 5)),
        st.tuples(st.just("orders"), st.integers(0, 999)),
    ),
    min_size=1,
    max_size=7,
)


@settings(max_examples=8, deadline=None, phases=[Phase.generate])
@given(seed=st.integers(0, 999), script=operations, indexed=st.booleans())
def test_any_interleaving_ends_in_the_tables_of_one_batch(
    seed: int, script: list[tuple[object, ...]], indexed: bool
) -> None:
    rows = shop(seed, 60 * len(script))
    parts = [rows[start : start + 70] for start in range(0, rows.height, 70)]
    with tempfile.TemporaryDirectory() as folder:
        lake = MortalLake(str(Path(folder) / "followed"))

        def indexes() -> Indexes:  # made anew for each step, as a process that was started again does
            return Indexes.local(lake, Path(folder) / "index") if indexed else Indexes.in_lake(lake)

        with opened(Lake(str(Path(folder) / "batch"))) as batch:
            for one in (lake, batch.lake):
                one.replace("silver/products", products(*SHELF).to_arrow())
            for number, part in enumerate(parts):
                for one in (lake, batch.lake):
                    one.append("raw/events", raw(part, f"stream:{number}").to_arrow())
                if number < len(script):
                    run(lake, indexes, parts[: number + 1], script[number])
            if lake.exists("silver/orders"):
                batch.lake.replace("silver/orders", lake.scan("silver/orders").collect().to_arrow())
            build(batch, FIRST, LAST)
            with opened(lake) as engine:
                advance_tables(engine, indexes())
                assert_same_tables(engine, batch)


def run(
    lake: MortalLake,
    indexes: Callable[[], Indexes],
    delivered: list[pl.DataFrame],
    step: tuple[object, ...],
) -> None:
    """One operation of the script; a micro-batch may die at any write."""
    match step:
        case ("advance", int(lives)):
            lake.lives[0] = lives
            with suppress(Killed), opened(lake) as engine:
                advance_tables(engine, indexes())
            lake.lives[0] = 0
        case ("backfill", str(name), int(start), int(length)):
            first = FIRST + timedelta(days=start)
            with suppress(MissingTable), opened(lake) as engine:  # its input may not exist yet
                STEPS[name](engine, first, min(LAST, first + timedelta(days=length)))
        case ("again", int(number)):
            part = delivered[number % len(delivered)]
            lake.append("raw/events", raw(part, f"again:{number}:{len(delivered)}").to_arrow())
        case ("orders", int(seed)):
            lake.replace("silver/orders", order_lines(pl.concat(delivered), seed).to_arrow())


def test_a_second_run_appends_nothing(tmp_path: Path) -> None:
    with opened(Lake(str(tmp_path))) as engine:
        stock(engine, *SHELF)
        deliver(engine, random_events(seed=1, count=100, first=FIRST, days=DAYS))
        advance_tables(engine, Indexes.in_lake(engine.lake))
        before = {name: engine.lake.version(name) for name in BUILDS}

        again = advance_tables(engine, Indexes.in_lake(engine.lake))

        assert [one.rows for one in again] == [0] * len(again)
        again = advance_tables(engine, Indexes.in_lake(engine.lake))
        assert all(one.rows_read == 0 for one in again)
        assert {name: engine.lake.version(name) for name in BUILDS} == before


def test_a_log_that_no_longer_reaches_back_is_made_up_for(tmp_path: Path) -> None:
    rows = random_events(seed=2, count=200, first=FIRST, days=DAYS)
    lake, expected = Lake(str(tmp_path / "followed")), Lake(str(tmp_path / "batch"))
    with opened(lake) as engine, opened(expected) as batch:
        for one in (engine, batch):
            stock(one, *SHELF)
        deliver(engine, rows[:100], "stream:1")
        advance_tables(engine, Indexes.local(lake, tmp_path / "index"))
        deliver(engine, rows[100:], "stream:2")
        deliver(engine, rows[:50], "stream:3")
        log = Path(lake.uri("raw/events")) / "_delta_log"
        lake.open("raw/events").create_checkpoint()
        for commit in sorted(log.glob("*.json"))[:-1]:
            commit.unlink()

        advance_tables(engine, Indexes.local(lake, tmp_path / "index"))

        deliver(batch, rows)
        build(batch, FIRST, LAST)
        assert_same_tables(engine, batch)
