"""A small simulated shop with every table made from its events; the same without its later events."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import cast

import polars as pl

from reco_assets.catalogue.history import product_history
from reco_assets.catalogue.ingest import PRODUCTS, ingest_files
from reco_assets.events.adapters.parquet import Parquet
from reco_assets.events.contract import EVENTS
from reco_assets.events.importer import import_files
from reco_assets.features.pipeline import BUILDS
from reco_assets.interactions.pipeline import build_interactions
from reco_assets.platform.duckdb_engine import DuckDBEngine
from reco_assets.platform.lake import Lake
from reco_assets.simulator.parameters import Parameters
from reco_assets.simulator.shop import simulate

SIZE = Parameters(users=150, products=120, days=10, events=9_000, end=date(2025, 6, 30), seed=5)


def simulated(folder: Path, parameters: Parameters = SIZE) -> Lake:
    """The shop of ``parameters`` in a lake of its own."""
    simulate(parameters, folder / "shop")
    lake, now = Lake(str(folder / "lake")), datetime.now(UTC)
    import_files(lake, Parquet({}), sorted((folder / "shop" / "events").glob("*.parquet")), now)
    ingest_files(lake, PRODUCTS, [folder / "shop" / "products.parquet"], now)
    named = lake.scan(EVENTS).drop_nulls("product_id").group_by("product_id")
    seen = named.agg(first_seen=pl.col("timestamp").min())
    lake.replace("silver/products", product_history(lake.scan("raw/catalogue"), seen).to_arrow())
    _build(lake)
    return lake


def without_later_events(whole: Lake, time: int, folder: Path) -> Lake:
    """The lake that the shop would have had if nothing had happened at ``time`` (microseconds) or after."""
    lake = Lake(str(folder))
    before = whole.scan(EVENTS).filter(pl.col("timestamp").dt.timestamp("us") < time)
    lake.append(EVENTS, before.collect().to_arrow())
    lake.replace("silver/products", whole.open("silver/products").to_pyarrow_table())
    _build(lake)
    return lake


def _build(lake: Lake) -> None:
    first, last = cast("tuple[date, date]", lake.span(EVENTS))
    with closing(DuckDBEngine(lake, threads=1)) as engine:
        build_interactions(engine, first, last)
        for build in BUILDS.values():
            build(engine, first, last)
