"""Tables become online values: everybody is there, the last events count, nothing is ever empty."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import cast

import numpy as np
import polars as pl
import redis

from reco_assets.catalogue.items import product_keys
from reco_assets.events.contract import EventType
from reco_assets.features.catalogue import PRODUCT_FEATURES, USER_FEATURES
from reco_assets.online import keys
from reco_assets.online.codec import decode_products, decode_user, unpack_keys
from reco_assets.online.materialise import MOST_CHANGES, announce, user_values, write_products, write_users
from reco_assets.recommender.types import RECENT
from tests.online.test_codec import ITEMS

START = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)
TIME = pl.Datetime("us", "UTC")


def users(**people: float) -> pl.DataFrame:
    """Users by id, with their number of clicks."""
    frame = pl.DataFrame({"user_id": list(people)}, schema={"user_id": pl.String})
    return frame.with_columns(
        *(
            pl.lit(None, pl.Float64).alias(feature.name)
            for feature in USER_FEATURES
            if feature.name != "clicks"
        ),
        pl.Series("clicks", list(people.values()), pl.Float64),
        pl.lit("tools").alias("favorite_category"),
        pl.lit(START).cast(TIME).alias("first_event_time"),
        pl.lit(START).cast(TIME).alias("last_event_time"),
    )


def recents(*rows: tuple[str, str, str, int]) -> pl.DataFrame:
    """Events, each user's oldest first: user, product, type, seconds after the start."""
    start = int(START.timestamp() * 1_000_000)
    return pl.DataFrame(
        [
            (user, int(product_keys([product])[0]), int(EventType[kind]), start + at * 1_000_000)
            for user, product, kind, at in rows
        ],
        schema={"user_id": pl.String, "product_key": pl.UInt64, "kind": pl.Int8, "at": pl.Int64},
        orient="row",
    )


def bought(**people: list[str]) -> pl.DataFrame:
    """What each user bought."""
    return pl.DataFrame(
        {"user_id": list(people), "products": [product_keys(ids).tolist() for ids in people.values()]},
        schema={"user_id": pl.String, "products": pl.List(pl.UInt64)},
    )


def products(*ids: str, popularity: float = 1.0) -> pl.DataFrame:
    """Products with every feature at its place in the catalogue, but the first at ``popularity``."""
    values = {feature.name: float(at) for at, feature in enumerate(PRODUCT_FEATURES)}
    values["popularity_score"] = popularity
    return pl.DataFrame({"product_id": ids}).with_columns(
        pl.lit("tools").alias("category"), *(pl.lit(value).alias(name) for name, value in values.items())
    )


def changes(store: redis.Redis) -> list[dict[bytes, bytes]]:
    """What the stream of product changes holds."""
    entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", store.xrange(keys.PRODUCT_CHANGES))
    return [entry for _, entry in entries]


def test_everybody_in_any_table_gets_a_value() -> None:
    ids, values = user_values(users(ann=3.0), recents(("bob", "p1", "click", 0)), bought(cid=["p2", "p3"]))
    states = {user_id: decode_user(value, ITEMS) for user_id, value in zip(ids, values, strict=True)}
    names = [feature.name for feature in USER_FEATURES]
    assert states["ann"].features[names.index("clicks")] == 3.0
    assert np.isnan(states["ann"].features[names.index("avg_price_point")])
    assert [ITEMS.ids[row] for row in states["bob"].items] == ["p1"]
    assert states["bob"].features[names.index("clicks")] == 0.0
    assert [ITEMS.ids[row] for row in states["cid"].bought] == ["p2", "p3"]


def test_the_last_product_events_are_kept_in_their_order() -> None:
    many = [("ann", f"p{at}", "click", at) for at in range(RECENT + 7)]
    _, values = user_values(users(ann=1.0), recents(*many), bought())
    state = decode_user(values[0], ITEMS)
    assert [ITEMS.ids[row] for row in state.items] == [f"p{at}" for at in range(7, RECENT + 7)]
    assert (
        state.times.tolist()[-1] == int((START + timedelta(seconds=RECENT + 6)).timestamp()) * 10**6 + 123_456
    )


def test_values_live_for_their_days_and_are_replaced_in_place(store: redis.Redis) -> None:
    assert write_users(store, users(ann=3.0, bob=1.0), recents(), bought(), ttl_days=30) == 2
    before = store.get(keys.user("bob"))
    assert write_users(store, users(ann=4.0), recents(), bought(), ttl_days=30) == 1
    assert store.get(keys.user("bob")) == before
    value = store.get(keys.user("ann"))
    assert isinstance(value, bytes)
    assert 4.0 in decode_user(value, ITEMS).features
    assert 29 * 86_400 < store.ttl(keys.user("ann")) <= 30 * 86_400


def test_many_values_are_one_write_to_disk(store: redis.Redis) -> None:
    people = users(**{f"u{number}": 1.0 for number in range(500)})
    store.config_resetstat()
    write_users(store, people, recents(), bought(), ttl_days=30)
    assert store.info("commandstats")["cmdstat_exec"]["calls"] == 1  # Redis flushes at the end of each


def test_products_are_written_before_they_are_announced(store: redis.Redis) -> None:
    write_products(store, products("p1", "p2", popularity=7.0), epoch=12, ttl_days=7)
    [entry] = changes(store)
    assert entry[b"epoch"] == b"12"
    np.testing.assert_array_equal(unpack_keys(entry[b"keys"]), product_keys(["p1", "p2"]))
    assert store.get(keys.PRODUCT_EPOCH) == b"12"
    names = [keys.product(product_id) for product_id in ("p1", "p2", "p3")]
    places, features = decode_products(cast("list[bytes | None]", store.mget(names)))
    assert places.tolist() == [0, 1]
    assert features[:, 0].tolist() == [7.0, 7.0]
    assert 6 * 86_400 < store.ttl(keys.product("p1")) <= 7 * 86_400


def test_too_many_changes_are_announced_as_everything(store: redis.Redis) -> None:
    announce(store, np.arange(MOST_CHANGES + 1, dtype=np.uint64), epoch=3, at=17)
    [entry] = changes(store)
    assert entry == {b"epoch": b"3", b"at": b"17", b"keys": b""}


def test_a_million_users_fit_in_400_megabytes(store: redis.Redis) -> None:
    rng = np.random.default_rng(5)
    n = 20_000
    ids = [f"user-{number:07d}" for number in range(n)]
    recent_counts = np.minimum(rng.geometric(1 / 8, n), RECENT)
    owners = np.repeat(np.arange(n), recent_counts)
    events = pl.DataFrame(
        {
            "user_id": pl.Series(ids).gather(owners),
            "product_key": product_keys([f"p{number}" for number in range(50)])[
                rng.integers(0, 50, len(owners))
            ],
            "kind": np.zeros(len(owners), np.int8),
            "at": rng.integers(1_700_000_000_000_000, 1_800_000_000_000_000, len(owners)),
        }
    )
    counts = rng.geometric(1 / 4, n) - 1
    owned = bought(
        **{user: [f"p{k}" for k in range(count)] for user, count in zip(ids, counts.tolist(), strict=True)}
    )
    before = store.info("memory")["used_memory"]
    write_users(store, users(**dict.fromkeys(ids, 2.0)), events, owned, ttl_days=30)
    grown = store.info("memory")["used_memory"] - before
    assert grown / n < 400
