"""What is true after the chaos: accepted events held against the lake, the lake against a batch."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from pathlib import Path
from typing import cast

import polars as pl
import redis

from benchmarks.process import free_port
from benchmarks.report import Stopwatch, Value, log
from benchmarks.streaming_home import last_micro_batch
from reco_assets.events.contract import EVENTS, QUARANTINE
from reco_assets.features.meaning import differences
from reco_assets.features.pipeline import BUILDS, INTERACTIONS
from reco_assets.interactions.pipeline import build_interactions
from reco_assets.online import keys
from reco_assets.online.mark import read_mark
from reco_assets.online.refresh import refresh
from reco_assets.platform.duckdb_engine import DuckDBEngine
from reco_assets.platform.lake import Lake, open_lake
from reco_assets.platform.redis import open_redis, stop_redis
from reco_assets.platform.settings import Settings
from reco_assets.streaming.compaction import compact

#: What is compared of the online store: users, products, and pending events, of which there must be none.
_COMPARED = (keys.user("*"), keys.product("*"), keys.pending("*"))


def verdict(settings: Settings, folder: Path, accepted: pl.Series) -> dict[str, Value]:
    """Results by name; those of a right run are all 0 but the counts. Nobody else may write meanwhile."""
    last_micro_batch(settings)
    lake = open_lake(settings)
    silver = lake.scan(INTERACTIONS).select("event_id").collect()["event_id"]
    found = accepted.is_in(silver.unique().implode())
    in_raw = accepted.is_in(lake.scan(EVENTS).select("event_id").collect()["event_id"].unique().implode())
    with Stopwatch() as watch, open_redis(settings) as store:
        tables, online = against_a_batch(settings, lake, store, folder / "batch")
    log(f"compared with a batch in {watch.seconds:.1f} s: {tables or 'the same tables'}, {online} online")
    with closing(DuckDBEngine(lake)) as engine:
        compact(lake, least=2)
        with closing(DuckDBEngine(Lake(str(folder / "batch" / "lake")))) as batch:
            compacted = differences(engine, batch)
    return {
        "in_lake": int(found.sum()),
        "lost": int((~found).sum()),
        "lost_before_raw": int((~in_raw).sum()),
        "doubled": len(silver) - silver.n_unique(),
        "raw_doubled": _twice(lake, EVENTS) + _twice(lake, QUARANTINE),
        "table_differences": sum(tables.values()) + sum(compacted.values()),
        "tables_that_differ": sorted(tables | compacted),
        "online_differences": online,
        "rows_in_raw": lake.rows(EVENTS),
        "rows_in_quarantine": lake.rows(QUARANTINE),
        "verify_seconds": round(watch.seconds, 1),
    }


def against_a_batch(
    settings: Settings, lake: Lake, store: redis.Redis, folder: Path
) -> tuple[dict[str, int], int]:
    """Rows of each table, and values of the online store, that a batch over the raw events has otherwise.

    The batch builds every table in a lake of its own, ``folder/lake``, and fills a Redis of its own at
    the moment of the last refresh.
    """
    mark = read_mark(store)
    assert mark is not None, "a micro-batch has been there"
    other = Settings(home=folder, redis_port=free_port())
    anew = open_lake(other)
    for name in (EVENTS, "silver/products"):
        anew.append(name, lake.open(name).to_pyarrow_table())
    first, last = cast("tuple[date, date]", lake.span(EVENTS))
    with closing(DuckDBEngine(lake)) as found, closing(DuckDBEngine(anew)) as batch:
        build_interactions(batch, first, last)
        for build in BUILDS.values():
            build(batch, first, last)
        tables = differences(found, batch)
        try:
            with open_redis(other) as filled:
                refresh(
                    batch,
                    filled,
                    mark.at,
                    user_ttl_days=settings.user_ttl_days,
                    product_ttl_days=settings.product_ttl_days,
                    whole=True,
                )
                ours, theirs = values(store), values(filled)
        finally:
            stop_redis(other)
    return tables, sum(ours.get(name) != theirs.get(name) for name in ours | theirs)


def values(store: redis.Redis) -> dict[bytes, bytes]:
    """Everything of the online store that follows from the tables."""
    names = [name for pattern in _COMPARED for name in store.scan_iter(pattern, count=10_000)]
    found = cast("list[bytes | None]", store.mget(names)) if names else []
    return {name: value for name, value in zip(names, found, strict=True) if value is not None}


def _twice(lake: Lake, name: str) -> int:
    """Rows that have the place of another one in what was delivered."""
    places = lake.scan(name).select("delivery", "delivery_position").collect()
    return places.height - places.n_unique()
