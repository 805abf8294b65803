"""Products like one product, and what trends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reco_assets.candidates.sources import Sources
from reco_assets.catalogue.items import ItemTable
from reco_assets.features.catalogue import PRODUCT_FEATURES, catalogue_hash, names
from reco_assets.recommender.bundle import Bundle, Manifest
from reco_assets.recommender.related import similar, trending
from tests.candidates.shops import NOW, Did, Product, buy, click, log, shop
from tests.recommender.shops import Shape, bundle


def small(items: ItemTable, *events: Did, sold_out: str = "") -> Bundle:
    matrix = np.full((len(items), len(PRODUCT_FEATURES)), np.nan, np.float32)
    if sold_out:
        matrix[items.row(sold_out), names(PRODUCT_FEATURES).index("inventory_level")] = 0.0
    sources = Sources.fit(log(items, *events), items, NOW)
    return Bundle(Manifest("small", NOW, NOW, catalogue_hash()), items, sources, matrix, None)


ITEMS = shop(
    Product("boot1", category="boots"),
    Product("boot2", category="boots"),
    Product("hose1", category="hoses"),
    Product("hose2", category="hoses"),
    Product("lone"),
)
EVENTS = [
    *(event for user in "uvw" for event in (click(user, "boot1", ago=2), click(user, "hose2", ago=1))),
    *(click(f"x{n}", "boot2") for n in range(30)),
    buy("z", "hose1", ago=25),
]


def test_what_people_opened_next_comes_first_then_the_popular_ones_of_its_kind() -> None:
    found = similar(ITEMS.row("boot1"), small(ITEMS, *EVENTS), 4, NOW)
    assert [ITEMS.ids[one.item] for one in found][:2] == ["hose2", "boot2"]
    assert (found[0].source, found[0].reason) == ("also_viewed", "people who looked at boot1 went on to it")
    assert [one.position for one in found] == [0, 1, 2, 3]
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)


def test_a_product_that_is_linked_to_nothing_has_popular_ones_beside_it() -> None:
    found = similar(ITEMS.row("lone"), small(ITEMS, *EVENTS), 3, NOW)
    assert ITEMS.ids[found[0].item] == "boot2"
    assert {one.source for one in found} == {"popular"}


def test_what_is_sold_out_is_not_offered() -> None:
    without = small(ITEMS, *EVENTS, sold_out="boot2")
    for found in (similar(ITEMS.row("boot1"), without, 5, NOW), trending(without, 5)):
        assert "boot2" not in [ITEMS.ids[one.item] for one in found]
    every = replace(without.manifest, policy=replace(without.policy, in_stock_only=False))
    everything = replace(without, manifest=every)
    assert "boot2" in [ITEMS.ids[one.item] for one in trending(everything, 5)]


@settings(max_examples=60, deadline=None)
@given(row=st.integers(0, 29), n=st.integers(1, 40), seed=st.integers(0, 2))
def test_never_itself_and_always_as_many_as_there_are(row: int, n: int, seed: int) -> None:
    made = bundle(Shape(30, 4, 300, 0.3, False, seed))
    rows = [one.item for one in similar(row, made, n, NOW)]
    left = set(range(30)) - set(made.sold_out.tolist()) - {row}
    assert len(rows) == min(n, len(left))
    assert len(set(rows)) == len(rows)
    assert set(rows) <= left


def test_the_burst_comes_first_and_popular_products_follow() -> None:
    steady = [click(f"s{n}", "hose1", ago=day) for day in range(1, 31) for n in range(20)]
    burst = [click(f"b{n}", "boot2", ago=0.5) for n in range(30)]
    found = trending(small(ITEMS, *steady, *burst), 3)
    assert [ITEMS.ids[one.item] for one in found[:2]] == ["boot2", "hose1"]
    assert [one.source for one in found] == ["trending", "popular", "popular"]


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 40), seed=st.integers(0, 2), data=st.data())
def test_trending_is_as_long_as_the_category_allows(n: int, seed: int, data: st.DataObject) -> None:
    made = bundle(Shape(30, 4, 300, 0.3, False, seed))
    code = data.draw(st.none() | st.integers(0, len(made.items.category_names) - 1))
    rows = [one.item for one in trending(made, n, code)]
    left = set(range(30)) - set(made.sold_out.tolist())
    if code is not None:
        left &= set(np.flatnonzero(made.items.category == code).tolist())
    assert len(rows) == min(n, len(left))
    assert len(set(rows)) == len(rows)
    assert set(rows) <= left


@pytest.mark.parametrize("products", [0, 1])
def test_the_smallest_shops_have_lists_too(products: int) -> None:
    made = bundle(Shape(products, 1, 0, 0.0, False, 0))
    assert len(trending(made, 5)) == products
    if products:
        assert similar(0, made, 5, NOW) == ()
