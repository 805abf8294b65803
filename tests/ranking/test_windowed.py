"""Product features through time change when the online store would have changed them."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from typing import cast

import numpy as np
import polars as pl
import pytest

from reco_assets.catalogue.attributes import ATTRIBUTES, ATTRIBUTES_SCHEMA
from reco_assets.features.catalogue import PRODUCT_FEATURES, names
from reco_assets.interactions.history import load_history
from reco_assets.platform.duckdb_engine import DuckDBEngine
from reco_assets.platform.lake import Lake
from reco_assets.ranking.windowed import product_matrix, product_timeline
from tests.builders import click, events, moment
from tests.features.lakes import build, deliver, product, stock

STOCK = names(PRODUCT_FEATURES).index("inventory_level")


def micros(at: str) -> int:
    return cast("int", pl.Series([moment(at)]).dt.timestamp("us")[0])


@pytest.fixture
def sold_out_at_noon(lake: Lake) -> Lake:
    """A product that is out of stock from 12:03 on and back at 15:00, and that nobody opens meanwhile."""
    with closing(DuckDBEngine(lake)) as engine:
        deliver(
            engine, events(click("u1", "p1", at="2024-05-01T09:00"), click("u2", "p2", at="2024-05-02T18:00"))
        )
        stock(
            engine,
            product("p1", "hats", 10.0, 4, until="2024-05-02T12:03"),
            product("p1", "hats", 10.0, 0, since="2024-05-02T12:03", until="2024-05-02T15:00"),
            product("p1", "hats", 10.0, 9, since="2024-05-02T15:00"),
            product("p2", "hats", 20.0, 1),
        )
        build(engine, date(2024, 5, 1), date(2024, 5, 2))
    return lake


def test_columns_of_the_shops_own_stand_beside_its_products(sold_out_at_noon: Lake) -> None:
    rows = [("file:x", 1, "p2", moment("2024-05-01"), "margin", "0.25")]
    told = pl.DataFrame(rows, schema=ATTRIBUTES_SCHEMA, orient="row")
    sold_out_at_noon.append(ATTRIBUTES, told.to_arrow())
    items = load_history(sold_out_at_noon).items
    margin = items.columns.numbers["margin"]
    assert (margin[items.row("p2")], np.isnan(margin[items.row("p1")])) == (0.25, True)


def test_a_product_that_sells_out_at_noon_is_sold_out_at_noon(sold_out_at_noon: Lake) -> None:
    history = load_history(sold_out_at_noon)
    first, last = micros("2024-05-02T11:00"), micros("2024-05-02T20:00")
    times = [micros(f"2024-05-02T{at}") for at in ("12:02", "12:03", "14:59", "15:00")]
    matrix = np.zeros((len(history.items), len(PRODUCT_FEATURES)), np.float32)
    with closing(DuckDBEngine(sold_out_at_noon)) as engine:
        timeline = product_timeline(engine, sold_out_at_noon, history, first, last)
        seen = []
        for time, _ in zip(times, timeline.replay(matrix, np.array(times, np.int64)), strict=True):
            seen.append(float(matrix[history.items.row("p1"), STOCK]))
            np.testing.assert_array_equal(matrix, product_matrix(engine, history.items, time))
    assert seen == [4.0, 0.0, 0.0, 9.0]
