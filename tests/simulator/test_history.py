from __future__ import annotations

from datetime import date
from itertools import pairwise

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reco_assets.events.contract import EVENT_SCHEMA
from reco_assets.simulator.history import Day, history
from reco_assets.simulator.parameters import Parameters
from reco_assets.simulator.schedule import schedule
from reco_assets.simulator.translation import ARROW_SCHEMA, Translator, queries
from reco_assets.simulator.world import world
from tests.simulator.conftest import Shop


def test_files_hold_the_contract_columns_and_types(shop: Shop) -> None:
    for path in (shop.folder / "events").iterdir():
        assert dict(pl.read_parquet_schema(path)) == EVENT_SCHEMA


def test_the_number_of_events_is_exact_and_each_day_holds_its_own_in_order(shop: Shop) -> None:
    assert len(shop.events) == 100_000
    paths = sorted((shop.folder / "events").iterdir())
    assert [path.stem for path in paths] == [
        shop.world.parameters.day(day).isoformat() for day in range(shop.world.parameters.days)
    ]
    for path in paths:
        times = pl.read_parquet(path)["timestamp"]
        assert times.is_sorted()
        assert times.dt.date().unique().to_list() == [date.fromisoformat(path.stem)]


def test_event_ids_are_unique_and_a_session_belongs_to_one_user(shop: Shop) -> None:
    assert shop.events["event_id"].n_unique() == len(shop.events)
    assert shop.events.group_by("session_id").agg(pl.col("user_id").n_unique())["user_id"].max() == 1


def test_fields_are_set_where_they_have_a_meaning(shop: Shop) -> None:
    priced = ["click", "add_to_cart", "remove_from_cart", "purchase"]
    expected = {
        "product_id": [*priced, "favorite", "rate"],
        "price": priced,
        "quantity": priced[1:],
        "duration_ms": ["click"],
        "query": ["search"],
        "rating": ["rate"],
    }
    for field, kinds in expected.items():
        assert shop.events[field].is_not_null().to_list() == shop.events["event_type"].is_in(kinds).to_list()


_TINY = Parameters(users=50, products=64, days=2, events=600, seed=5)


def _days(parameters: Parameters) -> tuple[Translator, list[Day]]:
    hidden = world(parameters)
    days = list(history(hidden, schedule(parameters, hidden.products)))
    return Translator(hidden, queries(hidden)), days


@pytest.fixture(scope="module")
def tiny() -> tuple[Translator, list[Day]]:
    return _days(_TINY)


@given(cuts=st.lists(st.integers(0, 250), max_size=6))
def test_a_day_is_the_same_wherever_it_is_cut(tiny: tuple[Translator, list[Day]], cuts: list[int]) -> None:
    translator, days = tiny
    for day in days:
        marks = sorted({0, len(day.events), *(cut for cut in cuts if cut < len(day.events))})
        pieces = [translator.table(day, *pair) for pair in pairwise(marks)]
        assert pa.concat_tables(pieces).equals(translator.table(day, 0, len(day.events)))


def test_the_same_seed_makes_the_same_history_and_another_seed_another() -> None:
    def events(parameters: Parameters) -> pa.Table:
        translator, days = _days(parameters)
        return pa.concat_tables([translator.table(day, 0, len(day.events)) for day in days])

    first = events(_TINY)
    assert first.schema.equals(ARROW_SCHEMA)
    assert events(_TINY).equals(first)
    other = events(Parameters(users=50, products=64, days=2, events=600, seed=6))
    assert not set(other["event_id"].to_pylist()) & set(first["event_id"].to_pylist())
    assert other["product_id"].to_pylist() != first["product_id"].to_pylist()
