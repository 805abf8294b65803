from __future__ import annotations

import numpy as np
import polars as pl

from reco_assets.simulator import vocabulary
from reco_assets.simulator.parameters import DAY_US
from tests.simulator.conftest import Shop


def test_a_product_is_observed_when_it_arrives_and_whenever_price_or_stock_changes(shop: Shop) -> None:
    products = shop.products
    assert products.columns == [
        "product_id", "observed_at", "title", "category", "brand", "price", "inventory",
    ]  # fmt: skip
    assert products["product_id"].n_unique() == 600
    assert not products.select("product_id", "observed_at").is_duplicated().any()
    assert products["observed_at"].is_sorted()
    assert products.null_count().row(0) == (0,) * 7
    per_product = products.group_by("product_id").agg(pl.col("price", "inventory").n_unique())
    assert (per_product["price"] > 1).to_numpy().mean() > 0.2
    assert (per_product["inventory"] > 1).to_numpy().mean() > 0.8


def test_categories_have_three_levels_and_titles_speak_of_brand_and_category(shop: Shop) -> None:
    assert (shop.products["category"].str.count_matches(" > ") == 2).all()
    for title, category, brand in shop.products.select("title", "category", "brand").unique().iter_rows():
        assert title.startswith(f"{brand} ")
        assert category.rpartition(" > ")[2] in title


def test_prices_are_those_of_the_category(shop: Shop) -> None:
    usual = {leaf.path: leaf.price for leaf in shop.world.leaves}
    ratio = shop.products["price"] / shop.products["category"].replace_strict(usual)
    assert 0.6 < np.median(ratio.to_numpy()) < 1.4
    assert ratio.min() > 0.1  # type: ignore[operator]


def test_products_of_one_style_lie_closer_in_taste_than_others_of_their_category(shop: Shop) -> None:
    products = shop.world.products
    taste = products.vectors[:, :14]
    alike = taste @ taste.T
    same_leaf = (products.leaf[:, None] == products.leaf) & ~np.eye(600, dtype=bool)
    same_style = products.style[:, None] == products.style
    assert alike[same_leaf & same_style].mean() > alike[same_leaf & ~same_style].mean() + 0.1


def test_stock_is_nothing_exactly_while_it_is_out(shop: Shop) -> None:
    schedule = shop.schedule
    rows, spans = np.nonzero(schedule.out_from < schedule.parameters.days * DAY_US)
    start, end = schedule.out_from[rows, spans], schedule.out_to[rows, spans]
    assert (schedule.inventory(rows, start - 1) > 0).all()
    assert (schedule.inventory(rows, start) == 0).all()
    assert (schedule.inventory(rows, end - 1) == 0).all()
    assert (schedule.inventory(rows, end) > 0).all()


def test_users_have_attributes_and_a_few_never_told_their_country(shop: Shop) -> None:
    assert shop.users["user_id"].n_unique() == len(shop.users) == 800
    assert set(shop.users["segment"]) == {one.name for one in vocabulary.SEGMENTS}
    assert 0 < shop.users["country"].null_count() < 50
