"""Shops with histories of known lengths: built once, kept as they are, measured on copies.

A measurement appends to the tables, to the indexes and to Redis, so that a second one on the same home
would find another state. Each one is therefore given a copy, which costs next to nothing: data files and
runs of indexes are never written again once they have a name, so the copy shares them by hard links.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

import polars as pl

from benchmarks.report import log
from reco_assets.catalogue.history import product_history
from reco_assets.catalogue.ingest import ingest_landing
from reco_assets.events.landing import import_landing
from reco_assets.features.pipeline import BUILDS
from reco_assets.interactions.pipeline import build_interactions
from reco_assets.platform.duckdb_engine import DuckDBEngine
from reco_assets.platform.lake import Lake, open_lake
from reco_assets.platform.run_files import KEYS, ROWS
from reco_assets.platform.settings import Settings
from reco_assets.simulator.parameters import Parameters
from reco_assets.simulator.shop import simulate

#: Events of a history for each of its users, as in the other benchmarks.
_EVENTS_A_USER: Final = 100
#: A month is the features' horizon, so that every day of the history counts.
_DAYS: Final = 30
_PRODUCTS: Final = 50_000
#: Files that are written under a new name each time, and never in place.
_IMMUTABLE: Final = (".parquet", KEYS, ROWS)


def build_history(settings: Settings, millions: int) -> None:
    """Build the tables of so many million events in the home of ``settings``, unless they are there."""
    done = settings.home / "built"
    if done.exists():
        return
    log(f"building a history of {millions} million events (not timed)")
    lake = open_lake(settings)
    parameters = Parameters(
        users=millions * 1_000_000 // _EVENTS_A_USER,
        products=_PRODUCTS,
        days=_DAYS,
        seed=0,
        events=millions * 1_000_000,
    )
    simulate(parameters, settings.landing_folder)
    now = datetime.now(UTC)
    import_landing(lake, settings.landing_folder, now)
    ingest_landing(lake, settings.landing_folder, now)
    shutil.rmtree(settings.landing_folder)
    _build_products(lake)
    _build_tables(lake, settings.memory_gb)
    done.touch()


def _build_products(lake: Lake) -> None:
    seen = lake.scan("raw/events").filter(pl.col("product_id").is_not_null())
    first_seen = seen.group_by("product_id").agg(first_seen=pl.col("timestamp").min())
    products = product_history(lake.scan("raw/catalogue"), first_seen.collect(engine="streaming"))
    lake.replace("silver/products", products.to_arrow())


def _build_tables(lake: Lake, memory_gb: float) -> None:
    engine = DuckDBEngine(lake, memory_gb=memory_gb)
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


@contextmanager
def copy_of(home: Path) -> Iterator[Path]:
    """A copy of ``home`` beside it, whose writes leave the original as it is; deleted at the end."""
    folder = Path(mkdtemp(prefix=f"{home.name}-measured-", dir=home.parent))
    try:
        yield Path(shutil.copytree(home, folder / home.name, copy_function=_linked))
    finally:
        shutil.rmtree(folder)


def _linked(source: str, target: str) -> str:
    if source.endswith(_IMMUTABLE):
        os.link(source, target)
        return target
    return str(shutil.copy2(source, target))
