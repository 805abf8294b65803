"""Habits online: packed at night, read with the user's own value."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import redis

from reco_assets.candidates.habits import LONG, habits_of, midnight
from reco_assets.catalogue.items import product_keys
from reco_assets.errors import IncompatibleBundle
from reco_assets.online import keys
from reco_assets.online.habits import decode_habits, encode_habits, habit_values, made_at, write_habits
from tests.candidates.shops import DAY, NOW, Product, click, log, shop

SHOP = shop(*(Product(f"p{n:02d}") for n in range(40)))
LOG = log(
    SHOP,
    *(click("often", f"p{n % 30:02d}", ago=50.0 - n) for n in range(LONG + 1)),
    *(click("seldom", f"p{n:02d}", ago=1.0 + n) for n in range(LONG)),
)
AT = midnight(NOW)


def test_what_is_packed_is_read_again_to_the_bit() -> None:
    ((user_id, value),) = habit_values(LOG, SHOP, AT)
    found, made = decode_habits(value, SHOP), habits_of(LOG, np.asarray(SHOP.keys), 0, AT)
    assert user_id == "often"
    assert (found.items.tolist(), found.at, made_at(value)) == (made.items.tolist(), AT, AT)
    assert found.weights.tobytes() == made.weights.tobytes()


def test_products_that_a_bundle_lacks_are_left_out() -> None:
    ((_, value),) = habit_values(LOG, SHOP, AT)
    fewer = shop(*(Product(f"p{n:02d}") for n in range(5)))
    assert {fewer.ids[row] for row in decode_habits(value, fewer).items} <= set(fewer.ids.tolist())
    assert len(decode_habits(value, fewer).items) == 5


def test_a_value_of_another_layout_is_refused() -> None:
    ((_, value),) = habit_values(LOG, SHOP, AT)
    for other in (b"", b"\x09" + value[1:], value + b"x"):
        with pytest.raises(IncompatibleBundle, match="online_habits"):
            decode_habits(other, SHOP)


def test_values_are_replaced_one_by_one_and_live_as_long_as_told(store: redis.Redis) -> None:
    def values(at: int) -> Iterator[tuple[str, bytes]]:
        return habit_values(LOG, SHOP, at)

    assert write_habits(store, values(AT - DAY), ttl_days=30) == 1
    assert write_habits(store, values(AT), ttl_days=30) == 1
    written = store.get(keys.habits("often"))
    assert isinstance(written, bytes)
    assert made_at(written) == AT
    assert 29 * 86_400 < int(str(store.ttl(keys.habits("often")))) <= 30 * 86_400
    assert store.get(keys.habits("seldom")) is None


def test_an_empty_habit_is_a_head_alone() -> None:
    made = habits_of(LOG, np.asarray(SHOP.keys), 1, AT)
    assert len(encode_habits(product_keys([]), made)) == 4
