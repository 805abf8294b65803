"""A file as Debezium writes it, out of order, with repetitions and deletes: the exact history of it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from reco_assets.catalogue.changes.files import import_changes
from reco_assets.catalogue.history import order_history, product_history, user_history
from reco_assets.catalogue.items import products_as_of
from reco_assets.events.observations import CATALOGUE_SCHEMA, USERS_SCHEMA
from reco_assets.platform.lake import Lake
from tests.catalogue.changes import NOW, moment

FILE = Path(__file__).parent / "shop_changes.jsonl"
US = pl.Datetime("us", "UTC")

PRODUCTS = [
    ("1", "Boot", "Bolt", 10.0, 5, "2024-05-01", "2024-05-03T10:00"),
    ("1", "Boot", "Bolt", 12.0, 5, "2024-05-03T10:00", "2024-05-05"),
    ("1", "Boot", "Bolt", 15.0, 5, "2024-05-05", "2024-05-09"),
    ("1", "Boot", None, 15.0, 5, "2024-05-09", "2024-05-10"),
    ("1", "Boot", None, 15.0, 3, "2024-05-10", None),
    ("2", "Sock", "Acme", 3.5, 80, "2024-05-02", "2024-05-06"),
    ("2", "Sock, new", None, 4.0, 10, "2024-05-08", None),
]
USERS = [
    ("7", "NL", "new", "2024-05-01", "2024-05-07"),
    ("7", "NL", None, "2024-05-07", "2024-05-07T12:00"),
    ("7", "BE", None, "2024-05-07T12:00", None),
    ("8", "DE", None, "2024-05-03", "2024-05-12"),
]
ORDERS = [
    ("31", "900", "7", "1", 1, 12.0, "paid", "2024-05-04T09:31", "2024-05-05T08:00"),
    ("31", "900", "7", "1", 1, 12.0, "shipped", "2024-05-05T08:00", None),
    ("32", "900", "7", "2", 2, 3.5, "paid", "2024-05-04T09:31", "2024-05-05T21:00"),
    ("32", "900", "7", "2", 2, 3.5, "Cancelled", "2024-05-05T21:00", None),
    ("33", "901", "8", "1", 1, 15.0, "paid", "2024-05-05T20:01", "2024-05-05T22:00"),
]


def told(history: pl.DataFrame, *columns: str) -> list[tuple[object, ...]]:
    return history.select(*columns, "valid_from", "valid_to").rows()


def expected(rows: Sequence[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return [(*row[:-2], *(moment(str(at)) if at else None for at in row[-2:])) for row in rows]


def products(lake: Lake) -> pl.DataFrame:
    seen = pl.DataFrame(schema={"product_id": pl.String, "first_seen": US})
    return product_history(pl.DataFrame(schema=CATALOGUE_SCHEMA), seen, lake.scan("raw/changes"))


def users(lake: Lake) -> pl.DataFrame:
    seen = pl.DataFrame(schema={"user_id": pl.String, "first_seen": US})
    return user_history(pl.DataFrame(schema=USERS_SCHEMA), seen, lake.scan("raw/changes"))


def check(lake: Lake) -> None:
    found = told(products(lake), "product_id", "title", "brand", "price", "inventory")
    assert found == expected(PRODUCTS)
    assert told(users(lake), "user_id", "country", "segment") == expected(USERS)
    orders = order_history(lake.scan("raw/changes"))
    columns = ("line", "order_id", "user_id", "product_id", "quantity", "price", "status")
    assert told(orders, *columns) == expected(ORDERS)
    assert orders["ordered_at"].unique().sort().to_list() == [
        moment("2024-05-04T09:30"),
        moment("2024-05-05T20:00"),
    ]


def test_the_history_of_a_shop(lake: Lake) -> None:
    report = import_changes(lake, [FILE], NOW)
    check(lake)
    assert (report.messages, report.changes, report.ignored, report.quarantined) == (27, 22, 2, 2)
    assert report.unknown == {"public.coupons": 1}
    assert report.reasons == {
        "not JSON": 1,
        "price: not a number; if it is a decimal in base64, set decimal.handling.mode to string or double": 1,
    }


def test_a_deleted_product_is_no_candidate_until_it_is_inserted_again(lake: Lake) -> None:
    import_changes(lake, [FILE], NOW)
    at = {day: int(moment(f"2024-05-0{day}T12:00").timestamp() * 1e6) for day in (5, 7, 8)}
    sold = {day: products_as_of(products(lake).lazy(), us)["product_id"].to_list() for day, us in at.items()}
    assert sold == {5: ["1", "2"], 7: ["1"], 8: ["1", "2"]}


def test_order_lines_are_purchases_once_each(lake: Lake) -> None:
    report = import_changes(lake, [FILE], NOW)
    events = lake.scan("raw/events").sort("event_id").collect()
    assert events.select("event_id", "user_id", "event_type", "product_id", "price", "quantity").rows() == [
        ("order:public.order_items:31", "7", "purchase", "1", 12.0, 1),
        ("order:public.order_items:32", "7", "purchase", "2", 3.5, 2),
        ("order:public.order_items:33", "8", "purchase", "1", 15.0, 1),
    ]
    assert report.purchases == 3
    assert events["source"].unique().to_list() == ["orders"]
    assert events["timestamp"].min() == moment("2024-05-04T09:30")


def test_importing_again_changes_nothing(lake: Lake) -> None:
    import_changes(lake, [FILE], NOW)
    tables = ("raw/changes", "raw/events", "raw/quarantine")
    versions = [lake.version(table) for table in tables]
    again = import_changes(lake, [FILE], NOW)
    assert (again.messages, again.known, again.changes) == (27, 27, 0)
    assert [lake.version(table) for table in tables] == versions


@pytest.mark.parametrize("seed", range(4))
def test_any_order_repetition_and_split_into_files_is_the_same_history(
    lake: Lake, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    lines = FILE.read_text().splitlines()
    lines += dice.sample(lines, 10)
    dice.shuffle(lines)
    cuts = [0, *sorted(dice.sample(range(1, len(lines)), 2)), len(lines)]
    for number, (low, high) in enumerate(pairwise(cuts)):
        part = tmp_path / f"{number}.jsonl"
        part.write_text("\n".join(lines[low:high]))
        import_changes(lake, [part], NOW)
    check(lake)
    events = lake.scan("raw/events").collect()
    assert events["event_id"].n_unique() == events.height == 3
