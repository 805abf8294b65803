"""A history from which something can be learnt, and which has the shape of a shop's."""

from __future__ import annotations

from collections import Counter

import numpy as np
import polars as pl

from reco_assets.simulator import vocabulary
from reco_assets.simulator.choices import utility
from reco_assets.simulator.history import tables_of_day
from tests.simulator.conftest import Shop


def _pairs(shop: Shop) -> pl.DataFrame:
    """Consecutive clicks of sessions on different products: day, one, next."""
    return (
        shop.of_type("click")
        .select(
            pl.col("timestamp").dt.date().alias("day"),
            pl.col("product_id").alias("one"),
            pl.col("product_id").shift(-1).over("session_id").alias("next"),
        )
        .filter(pl.col("next").is_not_null() & (pl.col("one") != pl.col("next")))
    )


def test_the_true_utility_is_what_the_sessions_chose_by(shop: Shop) -> None:
    tables = tables_of_day(shop.world, shop.schedule, 0)
    chosen = shop.world.utility(np.arange(5), np.arange(7))
    assert chosen.shape == (5, 7)
    np.testing.assert_allclose(
        chosen, [[utility(tables, u, p) for p in range(7)] for u in range(5)], rtol=1e-5, atol=1e-5
    )


def test_users_open_what_they_like(shop: Shop) -> None:
    clicks = shop.of_type("click")
    truth = shop.world.utility(np.arange(800), np.arange(600))
    users, products = (
        shop.user_rows(clicks["user_id"]).to_numpy(),
        shop.product_rows(clicks["product_id"]).to_numpy(),
    )
    shuffled = np.random.default_rng(0).permutation(products)
    assert truth[users, products].mean() > truth[users, shuffled].mean() + 0.5 * truth.std()


def test_the_next_click_is_learnt_better_from_the_last_one_than_from_popularity(shop: Shop) -> None:
    pairs = _pairs(shop)
    known, asked = (
        pairs.filter(pl.col("day") < pairs["day"].max()),
        pairs.filter(pl.col("day") == pairs["day"].max()),
    )
    counts = known.group_by("one", "next").len().sort("len", descending=True)
    follows = counts.group_by("one", maintain_order=True).head(10).select("one", "next")
    popular = known["next"].value_counts(sort=True)["next"].head(10)
    learnt = asked.join(follows, on=["one", "next"], how="semi").height / asked.height
    by_popularity = asked["next"].is_in(popular.to_list()).mean()
    assert isinstance(by_popularity, float)
    assert learnt > 0.3
    assert learnt > 2 * by_popularity


def test_products_clicked_together_are_so_far_more_often_than_by_chance(shop: Shop) -> None:
    substitutes = shop.world.products.substitutes
    pairs = _pairs(shop)
    one, following = shop.product_rows(pairs["one"]).to_numpy(), shop.product_rows(pairs["next"]).to_numpy()
    linked = (substitutes[one] == following[:, None]).any(axis=1).mean()
    by_chance = (
        (substitutes[one] == np.random.default_rng(0).permutation(following)[:, None]).any(axis=1).mean()
    )
    assert linked > 5 * by_chance


def test_clicks_run_in_a_direction(shop: Shop) -> None:
    count = Counter(zip(*_pairs(shop).select("one", "next").get_columns(), strict=True))
    there, back = (
        np.array([count[pair[::step]] for pair in count if pair[0] < pair[1] or pair[::-1] not in count])
        for step in (1, -1)
    )
    frequent = there + back >= 15
    lean = (np.maximum(there, back) / (there + back))[frequent].mean()
    coins = np.random.default_rng(0).binomial((there + back)[frequent], 0.5)
    by_chance = (np.maximum(coins, (there + back)[frequent] - coins) / (there + back)[frequent]).mean()
    assert frequent.sum() > 100
    assert lean > by_chance + 0.07


def test_complements_are_put_into_the_cart_together(shop: Shop) -> None:
    leaf = shop.world.products.leaf
    carts = shop.of_type("add_to_cart").select("session_id", "product_id")
    together = carts.join(carts, on="session_id").filter(pl.col("product_id") != pl.col("product_id_right"))
    one = leaf[shop.product_rows(together["product_id"]).to_numpy()]
    other = leaf[shop.product_rows(together["product_id_right"]).to_numpy()]
    size = vocabulary.GROUP_SIZE
    completes = (one // size == other // size) & (one != other)
    by_chance = (one // size == np.random.default_rng(0).permutation(other) // size) & (one != other)
    assert completes.mean() > 1.5 * by_chance.mean()


def test_popularity_has_a_long_tail(shop: Shop) -> None:
    counts = np.zeros(600)
    found = shop.of_type("click")["product_id"].value_counts(sort=True)["count"].to_numpy()
    counts[: len(found)] = found
    assert counts[:60].sum() > 0.35 * counts.sum()
    assert counts[300:].sum() < 0.2 * counts.sum()


def test_few_users_make_much_of_the_traffic(shop: Shop) -> None:
    counts = shop.events["user_id"].value_counts(sort=True)["count"].to_numpy()
    assert counts[:80].sum() > 0.3 * counts.sum()
    assert np.median(counts) < 0.7 * counts.mean()


def test_a_product_is_opened_more_while_it_trends(shop: Shop) -> None:
    clicks = shop.of_type("click")
    day = (clicks["timestamp"].dt.date() - shop.world.parameters.first_day).dt.total_days().to_numpy()
    counts = np.zeros((shop.world.parameters.days, 600))
    np.add.at(counts, (day, shop.product_rows(clicks["product_id"]).to_numpy()), 1)
    trends = np.array([shop.schedule.burst(index) > 0 for index in range(len(counts))])
    ever = trends.any(axis=0)
    assert ever.sum() >= 5
    assert counts[trends].mean() > 2 * counts[:, ever][~trends[:, ever]].mean()


def test_popularity_drifts(shop: Shop) -> None:
    first, last = shop.schedule.popularity(0), shop.schedule.popularity(27)
    both = (first > 0) & (last > 0) & (shop.schedule.burst(0) == 0) & (shop.schedule.burst(27) == 0)
    change = np.log(last[both] / first[both])
    assert 0.2 < change.std() < 1.5


def test_weekdays_and_hours_have_seasons(shop: Shop) -> None:
    times = shop.events["timestamp"]
    by_weekday = times.dt.weekday().value_counts().sort("timestamp")["count"].to_list()
    assert by_weekday[5] == max(by_weekday)  # Saturday
    german = shop.events.join(shop.users.filter(pl.col("country") == "DE"), on="user_id", how="semi")
    hours = np.bincount(german["timestamp"].dt.hour().to_numpy(), minlength=24)
    assert hours[17:21].sum() > 4 * hours[1:5].sum()


def test_ratings_tell_the_quality(shop: Shop) -> None:
    rates = shop.of_type("rate")
    quality = shop.world.products.quality[shop.product_rows(rates["product_id"]).to_numpy()]
    assert np.corrcoef(quality, rates["rating"].to_numpy())[0, 1] > 0.4


def test_consumables_are_bought_again(shop: Shop) -> None:
    cycle = np.array([leaf.cycle_days for leaf in shop.world.leaves])[shop.world.products.leaf]
    purchases = shop.of_type("purchase").with_columns(
        consumable=pl.Series(cycle[shop.product_rows(shop.of_type("purchase")["product_id"]).to_numpy()] > 0)
    )
    again = purchases.group_by("user_id", "product_id", "consumable").len()
    share = dict(again.group_by("consumable").agg((pl.col("len") > 1).mean()).iter_rows())
    assert share[True] > 2 * share[False]


def test_users_and_products_arrive_while_it_runs(shop: Shop) -> None:
    start = shop.users["observed_at"].min()
    assert 0.1 < (shop.users["observed_at"] > start).to_numpy().mean() < 0.4
    first = shop.products.group_by("product_id").agg(pl.col("observed_at").min())["observed_at"]
    assert 0.05 < (first > start).to_numpy().mean() < 0.3
