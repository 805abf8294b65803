"""Expressions over product columns: what they mean, and what is said of those that mean nothing."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reco_assets.catalogue.attributes import Columns
from reco_assets.catalogue.strings import Strings
from reco_assets.errors import BadExpression
from reco_assets.features.catalogue import PRODUCT_FEATURES, names
from reco_assets.recommender.policy.columns import Table
from reco_assets.recommender.policy.masks import holds
from reco_assets.recommender.policy.parser import DEEPEST, MOST_CHARACTERS
from tests.candidates.shops import Product, shop
from tests.recommender.shops import Shape, bundle


@cache
def table() -> Table:
    """boot (40, stock 3), clog (90, none left), sandal (price unknown), rake (15)."""
    items = shop(
        Product("boot", category="shoes > boots", brand="Bolt"),
        Product("clog", category="shoes", brand="Acme"),
        Product("rake", category="garden", brand="Acme"),
        Product("sandal", category="shoes > sandals"),
    )
    own = Columns(
        numbers={"margin": np.array([0.1, 0.5, np.nan, 0.3], np.float32)},
        texts={"regions": (np.array([0, 1, -1, 1], np.int32), Strings.of(["at", "de | nl"]))},
    )
    matrix = np.zeros((4, len(PRODUCT_FEATURES)), np.float32)
    matrix[:, names(PRODUCT_FEATURES).index("price")] = [40, 90, 15, np.nan]
    matrix[:, names(PRODUCT_FEATURES).index("inventory_level")] = [3, 0, 7, np.nan]
    empty = bundle(Shape(products=0, categories=0, events=0, sold_out=0, with_ranker=False, seed=0))
    return Table(replace(empty, items=replace(items, columns=own), product_matrix=matrix))


def true_of(text: str) -> str:
    """Initials of the products for which ``text`` is true."""
    rows: list[int] = np.flatnonzero(holds(text, table())).tolist()
    return "".join(table().items.ids[row][0] for row in rows)


@pytest.mark.parametrize(
    ("text", "products"),
    [
        ('category = "shoes" and price < 80', "b"),
        ("category = 'shoes'", "bcs"),
        ("category = 'shoes > boots'", "b"),
        ("category != 'shoes'", "r"),
        ("department in ('shoes', 'garden')", "bcrs"),
        ("price < 80", "br"),
        ("not price < 80", "c"),
        ("price <= 40 or price >= 90", "bcr"),
        ("price != 40", "cr"),
        ("price is null", "s"),
        ("price is not null", "bcr"),
        ("price is null or price > 50", "cs"),
        ("not (price < 80 or brand = 'Acme')", ""),
        ("not (price < 80 and brand = 'Acme')", "bc"),
        ("brand = 'Acme' and not inventory > 0", "c"),
        ("inventory_level in (3, 7)", "br"),
        ("brand not in ('Acme')", "b"),
        ("brand is null", "s"),
        ("MARGIN > .2 AND NOT (Price = 15)", "c"),
        ("regions has 'nl'", "cs"),
        ("not regions has 'nl'", "b"),
        ("product_id in ('rake', 'boot', 'gone')", "br"),
        ("product_id != 'rake'", "bcs"),
        ("price = 1.5e1", "r"),
        ("margin > -1 or price > 0 and price < 20", "bcrs"),
        ("(margin > -1 or price > 0) and price < 20", "r"),
        ("trend = false and trend = 0", "bcrs"),
    ],
)
def test_what_an_expression_is_true_of(text: str, products: str) -> None:
    assert true_of(text) == products


@pytest.mark.parametrize(
    ("text", "at", "reason"),
    [
        ("", 1, "the name of a product column should stand here, not the end"),
        ("price <", 8, "a number, a text in quotes, true or false should stand here, not the end"),
        ("price 80", 7, "a comparison, 'in', 'has' or 'is null' should follow price, not '80'"),
        ("price < 80 brand = 'x'", 12, "'and', 'or' or the end should follow, not 'brand'"),
        ("price < eighty", 9, "a number, a text in quotes"),
        ("brand = 'Acme", 9, "does not end"),
        ("price % 2", 7, "'%' means nothing here"),
        ("price < 80;", 11, "';' means nothing here"),
        ("(price < 80", 12, "')' should stand here, not the end"),
        ("brand in ()", 11, "a number, a text in quotes"),
        ("brand is 5", 10, "'null' should stand here, not '5'"),
        ("colour = 'red'", 1, "products have no column colour"),
        ("price < 80 and prise < 5", 16, "products have no column prise"),
        ("price = 'low'", 1, "price is a number, 'low' is a text"),
        ("brand < 'B'", 1, "brand is a text"),
        ("brand = 5", 1, "put 5 in quotes"),
        ("price has 'x'", 1, "price is not a text"),
        ("and = 5", 1, "the name of a product column should stand here"),
        ("price < 12abc", 9, "means nothing here"),
        ("not " * (DEEPEST + 2) + "price < 1", 4 * (DEEPEST + 1) + 1, "nested deeper"),
        ("x" * (MOST_CHARACTERS + 1), MOST_CHARACTERS + 1, "longer than"),
    ],
)
def test_a_fault_is_told_with_its_place(text: str, at: int, reason: str) -> None:
    with pytest.raises(BadExpression) as caught:
        true_of(text)
    assert caught.value.at == at
    assert reason in caught.value.reason


def test_a_column_that_is_nearly_right_is_proposed() -> None:
    with pytest.raises(BadExpression) as caught:
        true_of("prise < 5")
    assert caught.value.hint == "did you mean price?"


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> str:
    """Texts of the grammar over columns that exist."""
    if depth == 0 or draw(st.booleans()):
        return draw(
            st.sampled_from(
                ["price < 40", "price >= 40", "brand = 'Acme'", "margin is null", "regions has 'de'",
                 "category != 'shoes'", "inventory in (0, 7)"]
            )
        )  # fmt: skip
    left, right = draw(expressions(depth - 1)), draw(expressions(depth - 1))
    return draw(st.sampled_from([f"not ({left})", f"({left}) and ({right})", f"({left}) or ({right})"]))


@settings(max_examples=200, deadline=None)
@given(one=expressions(), other=expressions())
def test_the_laws_of_logic_hold_where_something_is_known(one: str, other: str) -> None:
    assert true_of(f"not (({one}) and ({other}))") == true_of(f"not ({one}) or not ({other})")
    assert true_of(f"not not ({one})") == true_of(one)
    assert not set(true_of(one)) & set(true_of(f"not ({one})"))
    assert set(true_of(f"({one}) and ({other})")) == set(true_of(one)) & set(true_of(other))
    assert set(true_of(f"({one}) or ({other})")) == set(true_of(one)) | set(true_of(other))


@settings(max_examples=300)
@given(text=st.text(st.sampled_from("price brand<=>!()'\"andortin8.5,"), max_size=40) | st.text(max_size=20))
def test_whatever_stands_there_is_an_expression_or_a_fault_with_its_place(text: str) -> None:
    at = 1
    try:
        holds(text, table())
    except BadExpression as error:
        at = error.at
    assert 1 <= at <= len(text) + 1
