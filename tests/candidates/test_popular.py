"""Popular fades with age, a category has a list of its own."""

from __future__ import annotations

from math import exp, log1p

import pytest

from reco_assets.candidates.popular import BrandPopular, CategoryPopular, Popular
from tests.candidates.shops import NOW, Product, buy, cart, click, log, past, shop, top

ABC = shop("a", "b", "c")


def test_popularity_halves_every_week() -> None:
    popular = Popular.fit(
        log(ABC, click("u", "a", ago=0), click("u", "b", ago=7), click("u", "c", ago=14)), ABC, NOW
    )
    assert top(popular, ABC, past(ABC)) == {
        "a": pytest.approx(log1p(1.0)),
        "b": pytest.approx(log1p(0.5)),
        "c": pytest.approx(log1p(0.25)),
    }


def test_a_purchase_counts_as_three_clicks_and_a_cart_as_two() -> None:
    popular = Popular.fit(
        log(ABC, buy("u", "a", ago=0), cart("u", "b", ago=0), click("u", "c", ago=0)), ABC, NOW
    )
    assert list(top(popular, ABC, past(ABC)).values()) == pytest.approx([log1p(3.0), log1p(2.0), log1p(1.0)])


def test_the_popular_list_never_runs_dry() -> None:
    popular = Popular.fit(log(ABC, click("u", "b")), ABC, NOW)
    assert list(top(popular, ABC, past(ABC))) == ["b", "a", "c"]


BOOTS = shop(
    Product("boot1", category="boots"),
    Product("boot2", category="boots"),
    Product("boot3", category="boots"),
    Product("hose1", category="hoses"),
    Product("hose2", category="hoses"),
    Product("loose"),
)


def category_popular() -> CategoryPopular:
    events = [
        buy("u", "boot2", ago=0),
        click("v", "boot1", ago=0),
        click("w", "hose2", ago=0),
        buy("x", "loose"),
    ]
    return CategoryPopular.fit(log(BOOTS, *events), BOOTS, NOW)


def test_a_category_lists_its_own_by_popularity() -> None:
    best = top(category_popular(), BOOTS, past(BOOTS, "boot3"))
    assert list(best) == ["boot2", "boot1", "boot3"]
    # relative to the category's best, and never nothing
    assert list(best.values()) == pytest.approx([1.05, 0.05 + log1p(1) / log1p(3), 0.05])


def test_the_categories_of_a_history_share_by_what_was_done_there() -> None:
    best = top(category_popular(), BOOTS, past(BOOTS, cart("me", "hose1"), "boot3"))
    # a cart one step back against a click now
    assert best["hose2"] / best["boot2"] == pytest.approx(2.0 * exp(-1 / 4))


def test_a_product_without_category_asks_for_none() -> None:
    assert top(category_popular(), BOOTS, past(BOOTS, "loose")) == {}


def test_one_categorys_list_can_be_asked_for() -> None:
    code = BOOTS.category_codes["hoses"]
    assert [BOOTS.ids[row] for row in category_popular().of_category(code)] == ["hose2", "hose1"]


def test_a_category_lists_a_hundred_at_the_most() -> None:
    items = shop(*(Product(f"p{n:03d}", category="all") for n in range(150)))
    source = CategoryPopular.fit(log(items), items, NOW)
    assert len(source.of_category(0)) == 100


MAKERS = shop(
    Product("boot1", category="boots", brand="oak"),
    Product("boot2", category="boots", brand="elm"),
    Product("hose1", category="hoses", brand="oak"),
    Product("hose2", category="hoses", brand="oak"),
    Product("plain", category="boots"),
)


def brand_popular() -> BrandPopular:
    events = [buy("u", "hose1", ago=0), click("v", "boot1", ago=0), click("w", "boot2"), buy("x", "plain")]
    return BrandPopular.fit(log(MAKERS, *events), MAKERS, NOW)


def test_a_brand_lists_its_own_by_popularity_whatever_their_category() -> None:
    best = top(brand_popular(), MAKERS, past(MAKERS, "hose2"))
    assert list(best) == ["hose1", "boot1", "hose2"]
    assert list(best.values()) == pytest.approx([1.05, 0.05 + log1p(1) / log1p(3), 0.05])


def test_the_brands_of_a_history_share_by_what_was_done_there() -> None:
    best = top(brand_popular(), MAKERS, past(MAKERS, cart("me", "boot2"), "hose2"))
    assert best["boot2"] / best["hose1"] == pytest.approx(2.0 * exp(-1 / 4))


def test_a_product_without_brand_asks_for_none_and_is_listed_by_none() -> None:
    assert top(brand_popular(), MAKERS, past(MAKERS, "plain")) == {}
    assert "plain" not in brand_popular().table(MAKERS)["product_id"].to_list()
