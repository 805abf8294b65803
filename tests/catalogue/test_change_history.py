"""The history that changes make: by the log and not by arrival, next to what files and events say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from reco_assets.catalogue.changes.purchases import withdrawn
from reco_assets.catalogue.history import (
    ORDERS_SCHEMA,
    PRODUCTS_SCHEMA,
    order_history,
    product_history,
    user_history,
)
from reco_assets.catalogue.periods import faults
from reco_assets.events.observations import CATALOGUE_SCHEMA, USERS_SCHEMA
from tests.catalogue.changes import Row, change, raw_changes
from tests.catalogue.test_history import day, observed, seen


def product(op: str, number: int, lsn: int | None, **said: object) -> Row:
    """A change of product p1 on a day of May."""
    row: Row = {"id": "p1", **said}
    return change(op, day(number), lsn, after=None if op == "d" else row, before=row if op == "d" else None)


def history(
    *messages: object, observations: pl.DataFrame | None = None, first_seen: pl.DataFrame | None = None
) -> list[tuple[object, ...]]:
    """``price, brand, valid_from, valid_to``."""
    made = product_history(
        observed() if observations is None else observations,
        seen() if first_seen is None else first_seen,
        raw_changes(messages),
    )
    assert made.schema == pl.Schema(PRODUCTS_SCHEMA)
    assert not any(faults(made, "product_id").values())
    return made.select("price", "brand", "valid_from", "valid_to").rows()


def test_a_null_of_the_database_is_null_and_a_column_it_has_not_says_nothing() -> None:
    brand = observed({"product_id": "p1", "at": day(1), "brand": "a"})
    assert history(product("c", 2, 1, price=1), product("u", 3, 2, price=None), observations=brand) == [
        (None, "a", day(1), day(2)),
        (1.0, "a", day(2), day(3)),
        (None, "a", day(3), None),
    ]


def test_a_deleted_row_ends_and_an_insert_begins_anew() -> None:
    assert history(
        product("c", 1, 1, price=1, brand="a"), product("d", 3, 2), product("c", 5, 3, price=2)
    ) == [(1.0, "a", day(1), day(3)), (2.0, None, day(5), None)]


def test_of_one_moment_the_last_of_the_log_holds() -> None:
    assert history(product("u", 1, 9, price=9), product("u", 1, 10, price=10)) == [(10.0, None, day(1), None)]
    assert history(product("c", 1, 9, price=9), product("d", 1, 10)) == []


def test_a_clock_that_goes_back_does_not_turn_the_log_round() -> None:
    assert history(product("c", 5, 1, price=1), product("u", 3, 2, price=2), product("u", 7, 3, price=3)) == [
        (2.0, None, day(5), day(7)),
        (3.0, None, day(7), None),
    ]


def test_a_snapshot_is_overruled_by_the_change_at_its_place() -> None:
    assert history(product("u", 1, 1, price=2), product("r", 1, 1, price=1)) == [(2.0, None, day(1), None)]


def test_without_a_position_the_time_orders() -> None:
    assert history(product("u", 2, None, price=2), product("c", 1, None, price=1)) == [
        (1.0, None, day(1), day(2)),
        (2.0, None, day(2), None),
    ]


def test_files_and_the_database_are_ordered_by_time_and_at_one_moment_the_database_holds() -> None:
    files = observed(
        {"product_id": "p1", "at": day(2), "price": 20.0}, {"product_id": "p1", "at": day(4), "price": 40.0}
    )
    assert history(product("c", 1, 1, price=1), product("u", 4, 2, price=4), observations=files) == [
        (1.0, None, day(1), day(2)),
        (20.0, None, day(2), day(4)),
        (4.0, None, day(4), None),
    ]


def test_what_the_database_deleted_only_the_database_brings_back() -> None:
    late = observed({"product_id": "p1", "at": day(4), "price": 40.0, "brand": "late"})
    gone = [product("c", 1, 1, price=1), product("d", 3, 2)]
    assert history(*gone, observations=late, first_seen=seen(p1=day(5))) == [(1.0, None, day(1), day(3))]
    assert history(*gone, product("c", 6, 3, price=6), observations=late) == [
        (1.0, None, day(1), day(3)),
        (6.0, None, day(6), None),
    ]


def test_a_product_of_which_only_the_end_is_known_was_there_since_it_was_seen() -> None:
    assert history(product("d", 3, 1), first_seen=seen(p1=day(2))) == [(None, None, day(2), day(3))]
    assert history(product("d", 3, 1), first_seen=seen(p1=day(4))) == []
    assert history(product("d", 3, 1)) == []


def test_a_row_begins_when_the_product_was_first_met() -> None:
    assert history(product("r", 5, 1, price=1), first_seen=seen(p1=day(2))) == [(1.0, None, day(2), None)]


def test_without_a_change_there_is_no_order() -> None:
    assert order_history(raw_changes([])).schema == pl.Schema(ORDERS_SCHEMA)


def test_the_purchases_that_are_withdrawn_can_be_named() -> None:
    def line(op: str, number: int, lsn: int, key: int, **said: object) -> Row:
        row: Row = {"id": key, "order_id": 1, "product_id": "p1", "user_id": "u1", "quantity": 1} | said
        gone = op == "d"
        return change(
            op,
            day(number),
            lsn,
            table="order_lines",
            after=None if gone else row,
            before=row if gone else None,
        )

    orders = order_history(
        raw_changes(
            [
                line("c", 1, 1, 1, status="paid"),
                line("c", 1, 2, 2, status="paid"),
                line("u", 2, 3, 2, status="RETURNED"),
                line("c", 1, 4, 3, status="paid"),
                line("d", 3, 5, 3),
            ]
        )
    )
    stands = orders.filter(pl.col("valid_to").is_null() & ~withdrawn())
    assert stands["event_id"].to_list() == ["order:public.order_lines:1"]


ENTITIES: dict[str, tuple[str, dict[str, st.SearchStrategy[object]]]] = {
    "products": ("id", {"price": st.sampled_from([None, 1.0, 2.0]), "brand": st.sampled_from([None, "a"])}),
    "users": ("id", {"country": st.sampled_from([None, "NL", "DE"])}),
    "order_items": ("id", {"order_id": st.just(1), "status": st.sampled_from(["paid", "cancelled"])}),
}


@st.composite
def logs(draw: st.DrawFn, table: str) -> list[Row]:
    """What one database did to a few rows of a table, in the order of its log."""
    key, columns = ENTITIES[table]
    made: list[Row] = []
    at = day(1)
    for lsn in range(1, draw(st.integers(1, 10)) + 1):
        at += timedelta(days=draw(st.integers(0, 2)))
        op = draw(st.sampled_from("ccuurd"))
        row: Row = {key: draw(st.sampled_from(["a", "b"]))}
        row |= {name: draw(values) for name, values in columns.items()}
        if table == "order_items":
            row |= {"product_id": "p", "user_id": "u"}
        after, before = (None, {key: row[key]}) if op == "d" else (row, None)
        made.append(change(op, at, lsn, table=table, after=after, before=before))
    return made


def histories(messages: Sequence[object], table: str) -> pl.DataFrame:
    changes = raw_changes(messages)
    if table == "products":
        return product_history(pl.DataFrame(schema=CATALOGUE_SCHEMA), seen(), changes)
    if table == "users":
        nobody = pl.DataFrame(schema={"user_id": pl.String, "first_seen": pl.Datetime("us", "UTC")})
        return user_history(pl.DataFrame(schema=USERS_SCHEMA), nobody, changes)
    return order_history(changes)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_order_and_repetition_of_the_changes_is_the_same_history(data: st.DataObject) -> None:
    table = data.draw(st.sampled_from(sorted(ENTITIES)))
    log = data.draw(logs(table))
    again = data.draw(st.lists(st.sampled_from(log), max_size=5))
    delivered = data.draw(st.permutations(log + again))
    made = histories(log, table)
    assert histories(delivered, table).equals(made)
    assert not any(faults(made, made.columns[0]).values())


@settings(max_examples=60, deadline=None)
@given(logs("products"))
def test_the_history_is_what_the_log_says_at_every_moment(log: list[Row]) -> None:
    made = histories(log, "products")
    for number in range(1, 25):
        state: dict[str, tuple[object, ...]] = {}
        for one in log:
            when = datetime.fromtimestamp(one["source"]["ts_ms"] / 1000, tz=day(1).tzinfo)  # type: ignore[index]
            row = one["after"] or one["before"]
            assert isinstance(row, dict)
            if when > day(number):
                break
            if one["op"] == "d":
                state.pop(row["id"], None)
            else:
                state[row["id"]] = (row["price"], row["brand"])
        holds = made.filter(
            (pl.col("valid_from") <= day(number))
            & (pl.col("valid_to").is_null() | (pl.col("valid_to") > day(number)))
        )
        assert {row[0]: row[1:] for row in holds.select("product_id", "price", "brand").iter_rows()} == state
