"""The item table: keys that never change, rows that are found again, texts that come back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reco_assets.catalogue import items as items_module
from reco_assets.catalogue.items import ItemTable, category_key, product_keys
from reco_assets.catalogue.strings import Strings
from reco_assets.errors import BadInput
from tests.candidates.shops import DAY, NOW, Product, shop

Texts = st.lists(st.text(max_size=12), max_size=30)
Ids = st.lists(st.text(min_size=1, max_size=8), max_size=30, unique=True)


def test_keys_are_the_same_for_ever() -> None:
    """Other processes have these keys in Redis: a change here loses every product there."""
    assert product_keys(["", "p1", "42", "a b é"]).tolist() == [
        0xF96707C4D9DD,
        0x6915D83C4693,
        0x3075B23715FB,
        0x80C0ACDE544C,
    ]
    assert category_key("electronics > phones") == 0xA134AF23


@given(texts=Texts)
def test_keys_have_48_bits(texts: list[str]) -> None:
    keys = product_keys(texts)
    assert keys.dtype == np.uint64
    assert (keys < 2**48).all()


@given(texts=Texts)
def test_texts_come_back(texts: list[str]) -> None:
    column = Strings.of(texts)
    assert len(column) == len(texts)
    assert column.tolist() == texts
    assert [column[row] for row in range(len(texts))] == texts


@settings(deadline=None)
@given(known=Ids, asked=Ids)
def test_a_row_is_found_by_its_id_and_by_no_other(known: list[str], asked: list[str]) -> None:
    items = shop(*known)
    assert items.ids.tolist() == sorted(known)
    for product_id in known + asked:
        expected = sorted(known).index(product_id) if product_id in known else -1
        assert items.row(product_id) == expected
    rows = items.rows(product_keys(asked))
    assert rows.dtype == np.int32
    assert rows.tolist() == [items.row(product_id) for product_id in asked]


def test_products_are_sorted_by_id_with_codes_by_name() -> None:
    items = shop(
        Product("p2", title="Boot", category="shoes > boots", brand="Bolt", price=10.5, inventory=3, age=2.0),
        Product("p1"),
        Product("p3", category="garden", brand="Acme"),
        Product("p4", category="shoes > sandals"),
    )
    assert items.ids.tolist() == ["p1", "p2", "p3", "p4"]
    assert items.titles.tolist() == ["", "Boot", "", ""]
    assert items.category_names.tolist() == ["garden", "shoes > boots", "shoes > sandals"]
    assert items.category.tolist() == [-1, 1, 0, 2]
    assert items.department_names.tolist() == ["garden", "shoes"]
    assert items.department.tolist() == [-1, 1, 0, 1]
    assert items.brand_names.tolist() == ["Acme", "Bolt"]
    assert items.brand.tolist() == [-1, 1, 0, -1]
    assert np.isnan(items.price[0])
    assert items.price[1] == np.float32(10.5)
    assert np.isnan(items.inventory[0])
    assert items.inventory[1] == 3.0
    assert items.first_seen[1] == NOW - 2 * DAY
    assert [items.category_name(row) for row in range(3)] == [None, "shoes > boots", "garden"]
    assert items.category_codes == {"garden": 0, "shoes > boots": 1, "shoes > sandals": 2}
    assert items.category_codes_by_key[category_key("shoes > boots")] == 1


def test_an_empty_catalogue_knows_nothing() -> None:
    items = shop()
    assert len(items) == 0
    assert items.row("p1") == -1
    assert items.rows(product_keys(["p1", "p2"])).tolist() == [-1, -1]


def test_two_products_of_one_key_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # one byte of key: among 300 products two must share one
    monkeypatch.setattr(items_module, "KEY_BITS", 8)
    with pytest.raises(BadInput, match=r"share one .*key.*rename"):
        shop(*(f"p{n}" for n in range(300)))


def test_a_key_of_another_product_is_not_taken_for_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items_module, "KEY_BITS", 8)
    items = shop("p1")
    twin = next(
        text for text in map(str, range(10_000)) if product_keys([text])[0] == product_keys(["p1"])[0]
    )
    assert items.rows(product_keys([twin])).tolist() == [0]
    assert items.row(twin) == -1


@settings(deadline=None, max_examples=30)
@given(ids=Ids)
def test_the_table_comes_back_from_its_arrays(ids: list[str]) -> None:
    items = shop(*(Product(one, title=one[::-1], category=f"c{len(one)}", price=1.5) for one in ids))
    again = ItemTable.of_arrays(items.arrays())
    assert again.ids.tolist() == items.ids.tolist()
    assert again.category_codes == items.category_codes
    for name, values in items.arrays().items():
        np.testing.assert_array_equal(again.arrays()[name], values, strict=True)


def test_the_order_of_the_products_given_does_not_matter() -> None:
    one = shop(Product("a", category="x"), Product("b", category="y"))
    other = shop(Product("b", category="y"), Product("a", category="x"))
    for name, values in one.arrays().items():
        np.testing.assert_array_equal(other.arrays()[name], values, strict=True)
