"""Packed values: what goes in comes out, to the microsecond, whatever the lists look like."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reco_assets.catalogue.items import ItemTable, category_key, item_table, product_keys
from reco_assets.errors import IncompatibleBundle
from reco_assets.features.catalogue import PRODUCT_FEATURES, USER_FEATURES
from reco_assets.online.codec import (
    decode_products,
    decode_session,
    decode_user,
    encode_session,
    pack_events,
    pack_keys,
    unpack_keys,
    user_times,
)
from reco_assets.online.packing import Bought, Recent, Users, encode_products, encode_users
from reco_assets.recommender.types import BOUGHT, RECENT

IDS = [f"p{number}" for number in range(50)]
CATEGORIES = ["garden > pots", "garden > seeds", "tools"]


def table(ids: list[str] = IDS) -> ItemTable:
    """An item table of ``ids``, the three categories in turn."""
    frame = pl.DataFrame(
        {
            "product_id": ids,
            "title": ids,
            "category": [CATEGORIES[at % 3] for at in range(len(ids))],
            "brand": None,
            "price": 1.0,
            "inventory": None,
            "valid_from": 0,
        },
        schema_overrides={"brand": pl.String, "inventory": pl.Int64, "valid_from": pl.Datetime("us", "UTC")},
    )
    return item_table(frame)


ITEMS = table()

products = st.sampled_from(IDS)
micros = st.integers(min_value=631_152_000_000_000, max_value=4_102_444_800_000_000)  # 1990 to 2100
an_event = st.tuples(products, st.integers(0, 7), micros)
person = st.fixed_dictionaries(
    {
        "features": st.lists(st.floats(width=32), min_size=len(USER_FEATURES), max_size=len(USER_FEATURES)),
        "category": st.sampled_from([None, *CATEGORIES]),
        "times": st.tuples(micros, micros),
        "recent": st.lists(an_event, max_size=RECENT + 5),
        "bought": st.lists(products, max_size=BOUGHT + 5),
    }
)


def offsets(lists: list[list[object]]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.cumsum([0, *(len(one) for one in lists)]).astype(np.int64)


def packed(people: list[dict[str, object]]) -> list[bytes]:
    """The values of ``people`` packed together."""
    recent = [one["recent"] for one in people]
    bought = [one["bought"] for one in people]
    events = [event for each in recent for event in each]  # type: ignore[attr-defined]
    return encode_users(
        Users(
            features=np.array([one["features"] for one in people], np.float32),
            favorite_category=np.array(
                [category_key(str(one["category"])) if one["category"] else 0 for one in people], np.uint32
            ),
            first_event_time=np.array([one["times"][0] for one in people], np.int64),  # type: ignore[index]
            last_event_time=np.array([one["times"][1] for one in people], np.int64),  # type: ignore[index]
            recent=Recent(
                offsets(recent),  # type: ignore[arg-type]
                product_keys([event[0] for event in events]),
                np.array([event[1] for event in events], np.int8),
                np.array([event[2] for event in events], np.int64),
            ),
            bought=Bought(offsets(bought), product_keys([p for each in bought for p in each])),  # type: ignore[arg-type, attr-defined]
        )
    )


@given(st.lists(person, min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_a_packed_user_is_the_user(people: list[dict[str, object]]) -> None:
    for one, value in zip(people, packed(people), strict=True):
        state = decode_user(value, ITEMS)
        np.testing.assert_array_equal(state.features, np.array(one["features"], np.float32))
        name = ITEMS.category_names[state.favorite_category] if state.favorite_category >= 0 else None
        assert name == one["category"]
        assert user_times(value) == one["times"]
        events = list(
            zip(
                [ITEMS.ids[row] for row in state.items],
                state.kinds.tolist(),
                state.times.tolist(),
                strict=True,
            )
        )
        assert events == one["recent"][-RECENT:]  # type: ignore[index]
        assert [ITEMS.ids[row] for row in state.bought] == one["bought"][-BOUGHT:]  # type: ignore[index]


@given(st.lists(an_event, max_size=RECENT + 30))
@settings(max_examples=30, deadline=None)
def test_events_can_be_appended_to_a_value_without_reading_it(events: list[tuple[str, int, int]]) -> None:
    nobody: dict[str, object] = {
        "features": [0.0] * len(USER_FEATURES), "category": None, "times": (0, 0), "recent": [], "bought": ["p1"],
    }  # fmt: skip
    keys, kinds, times = product_keys([e[0] for e in events]), [e[1] for e in events], [e[2] for e in events]
    tail = pack_events(keys, np.array(kinds, np.int8), np.array(times, np.int64)).tobytes()
    state = decode_user(packed([nobody])[0] + tail, ITEMS)
    assert state.times.tolist() == times[-RECENT:]
    assert [ITEMS.ids[row] for row in state.bought] == ["p1"]
    rows, session_kinds, session_times = decode_session(
        encode_session(keys, np.array(kinds, np.int8), np.array(times, np.int64)), ITEMS
    )
    assert [ITEMS.ids[row] for row in rows] == [e[0] for e in events][-RECENT:]
    assert session_kinds.tolist() == kinds[-RECENT:]
    assert session_times.tolist() == times[-RECENT:]


def test_what_the_bundle_lacks_is_left_out_and_the_order_stays() -> None:
    one: dict[str, object] = {
        "features": [1.0] * len(USER_FEATURES),
        "category": "tools",
        "times": (1, 2),
        "recent": [("p1", 0, 10**15), ("gone", 1, 10**15 + 1), ("p2", 3, 10**15 + 2)],
        "bought": ["gone", "p2"],
    }
    state = decode_user(packed([one])[0], table(["p1", "p2"]))
    assert state.items.tolist() == [0, 1]
    assert state.kinds.tolist() == [0, 3]
    assert state.times.tolist() == [10**15, 10**15 + 2]
    assert state.bought.tolist() == [1]
    assert state.favorite_category == -1


def test_arrays_of_a_decoded_state_belong_to_nobody_else() -> None:
    one: dict[str, object] = {
        "features": [1.0] * len(USER_FEATURES), "category": None, "times": (1, 2),
        "recent": [("p1", 0, 10**15)], "bought": [],
    }  # fmt: skip
    state = decode_user(packed([one])[0], ITEMS)
    for array in (state.features, state.items, state.kinds, state.times):
        assert array.flags.writeable
        assert array.flags.aligned
        assert array.flags.c_contiguous


@pytest.mark.parametrize(
    "spoil", [lambda v: v[:20], lambda v: b"\x63" + v[1:], lambda v: v[:4] + b"????" + v[8:]]
)
def test_a_value_of_another_layout_or_catalogue_is_refused(spoil: object) -> None:
    one: dict[str, object] = {
        "features": [1.0] * len(USER_FEATURES), "category": None, "times": (1, 2), "recent": [], "bought": [],
    }  # fmt: skip
    with pytest.raises(IncompatibleBundle, match="another layout or feature catalogue"):
        decode_user(spoil(packed([one])[0]), ITEMS)  # type: ignore[operator]
    with pytest.raises(IncompatibleBundle, match="another version"):
        decode_session(b"\x09\x00", ITEMS)


@given(
    st.lists(st.lists(st.floats(width=32), min_size=len(PRODUCT_FEATURES), max_size=len(PRODUCT_FEATURES)))
)
@settings(max_examples=30, deadline=None)
def test_packed_products_are_the_products(rows: list[list[float]]) -> None:
    features = np.array(rows, np.float32).reshape(len(rows), len(PRODUCT_FEATURES))
    values: list[bytes | None] = [*encode_products(features, np.zeros(len(rows), np.uint32)), None, b"other"]
    places, found = decode_products(values)
    assert places.tolist() == list(range(len(rows)))
    np.testing.assert_array_equal(found, features)


@given(st.lists(st.integers(0, 2**48 - 1)))
@settings(max_examples=30, deadline=None)
def test_keys_are_six_bytes(numbers: list[int]) -> None:
    keys = np.array(numbers, np.uint64)
    assert len(pack_keys(keys)) == 6 * len(numbers)
    np.testing.assert_array_equal(unpack_keys(pack_keys(keys)), keys)
