"""Following the stream of product changes: all of it, whatever was missed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import polars as pl
import pytest
import redis

from reco_assets.online import keys
from reco_assets.online.materialise import announce, write_products
from reco_serving.products import ProductFeed
from tests.online.test_materialise import products
from tests.serving.bundles import bundle


def write(store: redis.Redis, frame: pl.DataFrame, epoch: int, at: int = 0) -> None:
    write_products(store, frame, epoch=epoch, at=at, ttl_days=7)


def popularity(feed: ProductFeed, product_id: str) -> float:
    return float(feed.bundle.product_matrix[feed.bundle.items.row(product_id), 0])


def test_without_online_products_the_matrix_stays_as_the_bundle_was_made(store: redis.Redis) -> None:
    feed = ProductFeed(store, bundle("b"))
    before = feed.bundle.product_matrix.copy()
    assert feed.load() == 0
    assert feed.follow() == 0
    assert feed.epoch == -1
    np.testing.assert_array_equal(feed.bundle.product_matrix, before)


def test_all_is_read_once_and_then_only_what_changed(store: redis.Redis) -> None:
    write(store, products("p1", "p2", popularity=5.0), epoch=1)
    feed = ProductFeed(store, bundle("b"))
    assert feed.load() == 2
    assert (feed.epoch, popularity(feed, "p1")) == (1, 5.0)
    assert feed.follow() == 0
    write(store, products("p2", popularity=6.0), epoch=2)
    write(store, products("p3", "unheard-of", popularity=7.0), epoch=3)
    assert feed.follow() == 2
    assert feed.epoch == 3
    assert [popularity(feed, name) for name in ("p1", "p2", "p3")] == [5.0, 6.0, 7.0]
    assert feed.follow() == 0


def test_the_first_change_ever_is_not_missed(store: redis.Redis) -> None:
    feed = ProductFeed(store, bundle("b"))
    feed.load()
    write(store, products("p4", popularity=8.0), epoch=9)
    assert feed.follow() == 1
    assert (feed.epoch, popularity(feed, "p4")) == (9, 8.0)


def test_a_stream_that_was_cut_behind_the_reader_means_everything_again(store: redis.Redis) -> None:
    write(store, products("p1", popularity=5.0), epoch=1)
    feed = ProductFeed(store, bundle("b"))
    feed.load()
    write(store, products("p1", "p2", popularity=6.0), epoch=2)
    write(store, products("p3", popularity=7.0), epoch=3)
    store.xtrim(keys.PRODUCT_CHANGES, maxlen=1, approximate=False)
    assert feed.follow() == 3
    assert feed.epoch == 3
    assert [popularity(feed, name) for name in ("p1", "p2", "p3")] == [6.0, 6.0, 7.0]


def test_what_could_not_be_read_is_read_the_next_time(store: redis.Redis) -> None:
    write(store, products("p1", popularity=5.0), epoch=1)
    feed = ProductFeed(store, bundle("b"))
    store.acl_setuser("default", enabled=True, commands=["-mget"])
    try:
        with pytest.raises(redis.exceptions.NoPermissionError):
            feed.load()
    finally:
        store.acl_setuser("default", enabled=True, commands=["+mget"])
    assert feed.follow() == 1
    assert (feed.epoch, popularity(feed, "p1")) == (1, 5.0)


def test_an_announcement_of_everything_is_followed(store: redis.Redis) -> None:
    feed = ProductFeed(store, bundle("b"))
    feed.load()
    write(store, products("p1", "p2", popularity=6.0), epoch=2)
    feed.follow()
    announce(store, np.arange(60_000, dtype=np.uint64), epoch=4)
    assert feed.follow() == 2
    assert feed.epoch == 4
    assert feed.follow() == 0


def test_the_moment_of_the_values_comes_with_them(store: redis.Redis) -> None:
    write(store, products("p1"), epoch=1, at=1_000)
    feed = ProductFeed(store, bundle("b"))
    assert feed.at == 0
    feed.load()
    assert (feed.epoch, feed.at) == (1, 1_000)
    write(store, products("p2"), epoch=1, at=2_000)
    assert feed.follow() == 1
    assert (feed.epoch, feed.at) == (1, 2_000)


def test_who_holds_the_products_steady_sees_none_of_the_next_epoch(store: redis.Redis) -> None:
    many = [f"p{number}" for number in range(60)]
    write(store, products(*many, popularity=5.0), epoch=1, at=1_000)
    feed = ProductFeed(store, bundle("b"))
    feed.load()
    write(store, products(*many, popularity=6.0), epoch=2, at=2_000)
    with ThreadPoolExecutor(1) as other:
        with feed.steady:
            following = other.submit(feed.follow)
            assert not wait([following], timeout=0.3).done
            assert (feed.epoch, feed.at) == (1, 1_000)
            assert set(feed.bundle.product_matrix[:, 0].tolist()) == {5.0}
        assert following.result() == 60
    assert (feed.epoch, feed.at) == (2, 2_000)
    assert set(feed.bundle.product_matrix[:, 0].tolist()) == {6.0}
