"""Content finds what is alike by its words alone."""

from __future__ import annotations

import pytest

from reco_assets.candidates import content
from reco_assets.candidates.content import ContentNeighbours
from tests.candidates.shops import NOW, Product, log, pairs, past, shop, top

GARDEN = shop(
    Product("boot1", title="Leather walking boot", category="shoes > boots", brand="Acme"),
    Product("boot2", title="Walking boot, waterproof", category="shoes > boots", brand="Bolt"),
    Product("hose1", title="Garden hose", category="garden", brand="Bolt"),
    Product("hose2", title="Long garden hose", category="garden", brand="Cone"),
    Product("lone", title="Sextant"),
)


def fit() -> ContentNeighbours:
    return ContentNeighbours.fit(log(GARDEN), GARDEN, NOW)


def test_products_with_the_same_words_come_first() -> None:
    assert next(iter(top(fit(), GARDEN, past(GARDEN, "boot1")))) == "boot2"
    assert list(top(fit(), GARDEN, past(GARDEN, "hose1"))) == ["hose2", "boot2"]  # boot2 by its brand


def test_likeness_is_a_cosine_and_mutual() -> None:
    likeness = {(one, other): score for one, other, score in pairs(fit(), GARDEN)}
    for (one, other), score in likeness.items():
        assert 0.0 < score <= 1.0 + 1e-6
        assert likeness[other, one] == pytest.approx(score)
    # "leather" and "acme" are nobody else's and do not count: what is left of boot1 is all in boot2
    assert likeness["boot1", "boot2"] > likeness["boot2", "hose1"]


def test_a_word_of_one_product_links_nothing() -> None:
    assert top(fit(), GARDEN, past(GARDEN, "lone")) == {}


def test_case_and_punctuation_do_not_matter() -> None:
    items = shop(Product("a", title="RED-SHOE"), Product("b", title="(red) shoe!"), Product("c", title="x y"))
    likeness = {
        (one, other): score
        for one, other, score in pairs(ContentNeighbours.fit(log(items), items, NOW), items)
    }
    assert likeness == {("a", "b"): pytest.approx(1.0), ("b", "a"): pytest.approx(1.0)}


def test_a_product_that_is_not_in_the_shop_yet_is_not_found() -> None:
    items = shop(
        Product("old", title="walking boot"),
        Product("known", title="walking boot"),
        Product("future", title="walking boot", age=-1.0),
    )
    assert list(top(ContentNeighbours.fit(log(items), items, NOW), items, past(items, "old"))) == ["known"]


def test_a_word_that_too_many_products_share_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    items = shop(*(Product(f"p{n}", title="walking boot" if n < 2 else "boot") for n in range(5)))
    monkeypatch.setattr(content, "MOST_PRODUCTS", 4)
    found = {(one, other) for one, other, _ in pairs(ContentNeighbours.fit(log(items), items, NOW), items)}
    assert found == {("p0", "p1"), ("p1", "p0")}
