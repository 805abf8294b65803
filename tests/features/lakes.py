"""Small lakes for tests: raw events and products from builders, and every table made from them."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl

from reco_assets.events.contract import RAW_SCHEMA
from reco_assets.features import pipeline
from reco_assets.features.meaning import FOLLOWING
from reco_assets.interactions.pipeline import build_interactions
from reco_assets.platform.engine import Engine
from tests.builders import moment

PRODUCT_SCHEMA = {
    "product_id": pl.String(),
    "title": pl.String(),
    "category": pl.String(),
    "brand": pl.String(),
    "price": pl.Float64(),
    "inventory": pl.Int64(),
    "valid_from": pl.Datetime("us", "UTC"),
    "valid_to": pl.Datetime("us", "UTC"),
}

TABLES = FOLLOWING

Product = dict[str, str | float | int | datetime | None]


def product(
    product_id: str,
    category: str | None = None,
    price: float | None = None,
    inventory: int | None = None,
    since: str = "2020-01-01",
    until: str | None = None,
) -> Product:
    """One row of ``silver/products``."""
    return {
        "product_id": product_id,
        "category": category,
        "price": price,
        "inventory": inventory,
        "valid_from": moment(since),
        "valid_to": moment(until) if until else None,
    }


def products(*rows: Product) -> pl.DataFrame:
    """A table of products, columns and types of ``silver/products``."""
    return pl.DataFrame(list(rows), schema=PRODUCT_SCHEMA, orient="row")


def raw(events: pl.DataFrame, delivery: str = "file:test:1", ingested: str = "2024-06-30") -> pl.DataFrame:
    """``events`` as one delivery to ``raw/events``."""
    day = moment(ingested)
    return events.with_columns(
        delivery=pl.lit(delivery),
        delivery_position=pl.int_range(1, pl.len() + 1, dtype=pl.Int64),
        payload=pl.lit(None, pl.Binary),
        contract_version=pl.lit(1, pl.Int64),
        ingested_at=pl.lit(day).cast(pl.Datetime("us", "UTC")),
        ingest_date=pl.lit(day.date()),
        event_date=pl.col("timestamp").dt.date(),
    ).select(list(RAW_SCHEMA))


def deliver(engine: Engine, events: pl.DataFrame, delivery: str = "file:test:1") -> None:
    """Append ``events`` to ``raw/events``."""
    engine.lake.append("raw/events", raw(events, delivery).to_arrow())


def stock(engine: Engine, *rows: Product) -> None:
    """Make ``silver/products`` of ``rows``."""
    engine.lake.replace("silver/products", products(*rows).to_arrow())


def build(engine: Engine, first: date, last: date) -> None:
    """Every table of the days ``first``..``last``."""
    build_interactions(engine, first, last)
    for make in pipeline.BUILDS.values():
        make(engine, first, last)


def content(engine: Engine, name: str) -> pl.DataFrame:
    """All rows of a lake table in a fixed order, without what says when they were made."""
    table = engine.lake.scan(name).collect().drop("revision", strict=False)
    return table.select(sorted(table.columns)).sort(sorted(table.columns))


def contents(engine: Engine) -> dict[str, pl.DataFrame]:
    """All rows of every table that :func:`build` makes."""
    return {name: content(engine, name) for name in TABLES}
