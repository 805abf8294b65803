"""Which table is what: guessed by names, or given in changes.json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reco_assets.catalogue.changes.tables import Tables, tables_beside
from reco_assets.errors import BadInput
from tests.catalogue.changes import change, read


@pytest.mark.parametrize(
    ("table", "columns", "entity", "key"),
    [
        ("public.products", "id sku name price", "products", ("product_id",)),
        ("shop.Customers", "customerId country", "users", ("user_id",)),
        ("shop.order_items", "id order_id product_id", "orders", ("line",)),
        ("shop.orderLines", "orderId lineNumber productId", "orders", ("order_id", "line")),
        ("shop.order_lines", "order_id product_id qty", "orders", ("order_id", "product_id")),
        ("shop.purchases", "id customer_id product_id", "orders", ("order_id",)),
    ],
)
def test_tables_are_known_by_their_names(table: str, columns: str, entity: str, key: tuple[str, ...]) -> None:
    found = Tables().of(table, columns.split())
    assert found is not None
    assert (found.entity.name, found.key) == (entity, key)


def test_an_order_line_points_to_the_row_of_its_product() -> None:
    found = Tables().of("products", ["id", "sku", "name", "unit_price", "stock_quantity", "brand_name"])
    assert found is not None
    assert dict(found.columns) == {
        "product_id": "id",
        "title": "name",
        "price": "unit_price",
        "inventory": "stock_quantity",
        "brand": "brand_name",
    }


def test_other_tables_are_of_no_interest() -> None:
    heads = change("c", "2024-05-01", 1, table="orders", after={"id": 1, "user_id": 2, "total": 9})
    coupons = change("c", "2024-05-01", 1, table="coupons", after={"id": 1})
    assert read(heads, coupons, coupons).unknown == {"public.orders": 1, "public.coupons": 2}


def test_what_is_given_is_taken_and_the_rest_is_guessed() -> None:
    given = {"tables": {"public.artikel": {"entity": "products", "columns": {"price": "preis"}}}}
    row = {"id": 1, "preis": 2.5, "price": 99, "stock": 3}
    found = read(change("c", "2024-05-01", 1, table="artikel", after=row), tables=Tables(json.dumps(given)))
    assert found.changes.select("key", "price", "inventory").row(0) == ("1", 2.5, 3)
    out = Tables('{"tables": {"products": {"entity": null}}}')
    assert out.of("public.products", ["id"]) is None


def test_a_given_key_of_several_columns_cannot_be_mistaken() -> None:
    given = {"tables": {"lines": {"entity": "orders", "key": ["order_id", "line"]}}}
    rows = [{"order_id": "a/b", "line": "c"}, {"order_id": "a", "line": "b/c"}]
    messages = [change("c", "2024-05-01", 1, table="lines", after=row) for row in rows]
    assert read(*messages, tables=Tables(json.dumps(given))).changes["key"].n_unique() == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not as it should be"),
        ('{"tables": {"a": {"entity": "things"}}}', "table a: there is no entity things"),
        ('{"tables": {"a": {"entity": "users", "columns": {"price": "p"}}}}', "users have no price"),
        ('{"tables": {"a": {"entity": "users", "key": ["sku"]}}}', "users have no sku"),
    ],
)
def test_a_wrong_mapping_is_told(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "changes.json").write_text(text)
    with pytest.raises(BadInput, match=f"changes.json.*{reason}"):
        tables_beside(tmp_path / "shop.jsonl")
