"""What has to come before what in a session, and what cannot be bought."""

from __future__ import annotations

import polars as pl
import pytest

from tests.simulator.conftest import Shop

_KEY = ["session_id", "product_id"]


@pytest.mark.parametrize(
    ("later", "earlier"),
    [
        ("add_to_cart", "click"),
        ("favorite", "click"),
        ("purchase", "add_to_cart"),
        ("remove_from_cart", "add_to_cart"),
    ],
)
def test_the_funnel_has_an_order_within_a_session(shop: Shop, later: str, earlier: str) -> None:
    first = shop.of_type(earlier).group_by(_KEY).agg(pl.col("timestamp").min().alias("first"))
    joined = shop.of_type(later).join(first, on=_KEY, how="left")
    assert len(joined) > 100
    assert (joined["first"] < joined["timestamp"]).all()
    assert joined["first"].null_count() == 0


def test_what_was_removed_from_the_cart_is_not_bought(shop: Shop) -> None:
    assert shop.of_type("purchase").join(shop.of_type("remove_from_cart"), on=_KEY).is_empty()


def test_the_funnel_narrows(shop: Shop) -> None:
    kinds = ("click", "add_to_cart", "purchase")
    clicks, carts, purchases = (len(shop.of_type(kind)) for kind in kinds)
    assert 0.03 < carts / clicks < 0.15
    assert 0.01 < purchases / clicks < 0.06


def _as_of(shop: Shop, events: pl.DataFrame) -> pl.DataFrame:
    observed = shop.products.select(
        "product_id", "observed_at", "inventory", pl.col("price").alias("listed")
    ).sort("product_id", "observed_at")
    return events.sort("product_id", "timestamp").join_asof(
        observed, left_on="timestamp", right_on="observed_at", by="product_id", check_sortedness=False
    )


def test_nothing_is_bought_while_it_is_out_of_stock(shop: Shop) -> None:
    assert (shop.products["inventory"] == 0).sum() > 20
    sold_out = _as_of(shop, shop.of_type("click")).filter(pl.col("inventory") == 0)
    assert len(sold_out) > 100  # it is looked at all the same
    for kind in ("add_to_cart", "purchase"):
        assert (_as_of(shop, shop.of_type(kind))["inventory"] > 0).all()


def test_a_product_exists_before_anything_happens_to_it_and_costs_what_is_listed(shop: Shop) -> None:
    priced = _as_of(shop, shop.of_type("click", "add_to_cart", "remove_from_cart", "purchase"))
    assert priced["listed"].null_count() == 0
    assert (priced["price"] == priced["listed"]).all()


def test_a_user_is_known_before_the_first_event(shop: Shop) -> None:
    joined = shop.events.join(shop.users, on="user_id", how="left")
    assert (joined["observed_at"] <= joined["timestamp"]).all()
    assert joined["observed_at"].null_count() == 0


def test_only_what_was_bought_is_rated(shop: Shop) -> None:
    key = ["user_id", "product_id"]
    bought = shop.of_type("purchase").group_by(key).agg(pl.col("timestamp").min().alias("bought"))
    rated = shop.of_type("rate").join(bought, on=key, how="left")
    assert (rated["bought"] < rated["timestamp"]).all()
    assert rated["bought"].null_count() == 0
    assert set(rated["rating"].unique()) <= {1.0, 2.0, 3.0, 4.0, 5.0}
