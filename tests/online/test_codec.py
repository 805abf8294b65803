"""Packed values: what goes in comes out, to the microsecond, whatever the lists look like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reco_assets.catalogue.items import ItemTable, category_key, item_table, product_keys
from reco_assets.errors import IncompatibleBundle
from reco_assets.features.catalogue import PRODUCT_FEATURES, USER_FEATURES
from reco_assets.online.codec import (
    PENDING_BYTES,
    decode_pending,
    decode_products,
    decode_session,
    decode_user,
    encode_session,
    pack_keys,
    pack_pending,
    unpack_keys,
    user_times,
)
from reco_assets.online.packing import Bought, Recent, Users, encode_products, encode_users
from reco_assets.recommender.types import BOUGHT, RECENT

IDS = [f"p{number}" for number in range(50)]
CATEGORIES = ["garden > pots", "garden > seeds", "tools"]

Event = tuple[str, int, int]


def table(ids: Sequence[str] = IDS) -> ItemTable:
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


@dataclass(frozen=True)
class Person:
    """What is known of somebody, in plain values."""

    features: Sequence[float] = (1.0,) * len(USER_FEATURES)
    category: str | None = None
    first: int = 0
    last: int = 0
    recent: Sequence[Event] = ()
    bought: Sequence[str] = field(default=())


products = st.sampled_from(IDS)
micros = st.integers(min_value=631_152_000_000_000, max_value=4_102_444_800_000_000)  # 1990 to 2100
an_event = st.tuples(products, st.integers(0, 7), micros)
person = st.builds(
    Person,
    features=st.lists(st.floats(width=32), min_size=len(USER_FEATURES), max_size=len(USER_FEATURES)),
    category=st.sampled_from([None, *CATEGORIES]),
    first=micros,
    last=micros,
    recent=st.lists(an_event, max_size=RECENT + 5),
    bought=st.lists(products, max_size=BOUGHT + 5),
)


def offsets(lists: Sequence[Sequence[object]]) -> npt.NDArray[np.int64]:
    return np.cumsum([0, *(len(one) for one in lists)]).astype(np.int64)


def columns(
    events: Sequence[Event],
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int8], npt.NDArray[np.int64]]:
    """Keys, kinds and times of events."""
    return (
        product_keys([product for product, _, _ in events]),
        np.array([kind for _, kind, _ in events], np.int8),
        np.array([time for _, _, time in events], np.int64),
    )


def packed(*people: Person) -> list[bytes]:
    """The values of ``people``, packed together."""
    recent, bought = [one.recent for one in people], [one.bought for one in people]
    return encode_users(
        Users(
            features=np.array([one.features for one in people], np.float32),
            favorite_category=np.array(
                [category_key(one.category) if one.category else 0 for one in people], np.uint32
            ),
            first_event_time=np.array([one.first for one in people], np.int64),
            last_event_time=np.array([one.last for one in people], np.int64),
            recent=Recent(offsets(recent), *columns([event for own in recent for event in own])),
            bought=Bought(offsets(bought), product_keys([product for own in bought for product in own])),
        )
    )


@given(st.lists(person, min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_a_packed_user_is_the_user(people: list[Person]) -> None:
    for one, value in zip(people, packed(*people), strict=True):
        state = decode_user(value, ITEMS)
        np.testing.assert_array_equal(state.features, np.array(one.features, np.float32))
        name = ITEMS.category_names[state.favorite_category] if state.favorite_category >= 0 else None
        assert name == one.category
        assert user_times(value) == (one.first, one.last)
        ids = [ITEMS.ids[row] for row in state.items]
        found = list(zip(ids, state.kinds.tolist(), state.times.tolist(), strict=True))
        assert found == one.recent[-RECENT:]
        assert [ITEMS.ids[row] for row in state.bought] == one.bought[-BOUGHT:]


@pytest.mark.parametrize(("unit", "most"), [(1, 6), (1_000, 5), (1_000_000, 3)])
def test_times_take_the_fewer_bytes_the_coarser_their_unit(unit: int, most: int) -> None:
    gaps = np.random.default_rng(1).integers(1, 3_600_000_000 // unit, RECENT) * unit
    times = (1_700_000_000_000_000 + np.cumsum(gaps)).tolist()
    [value] = packed(Person(recent=[("p1", kind % 4, time) for kind, time in enumerate(times)]))
    [nothing] = packed(Person())
    assert decode_user(value, ITEMS).times.tolist() == times
    # the product once, the first time in full, and for each event its kind and the time since the last
    assert len(value) - len(nothing) <= 6 + 9 + (RECENT - 1) * (1 + most)


@given(st.lists(an_event, max_size=RECENT + 5))
@settings(max_examples=30, deadline=None)
def test_a_packed_session_is_the_session(events: list[Event]) -> None:
    rows, kinds, times = decode_session(encode_session(*columns(events)), ITEMS)
    found = list(zip([ITEMS.ids[row] for row in rows], kinds.tolist(), times.tolist(), strict=True))
    assert found == events[-RECENT:]


@given(st.lists(an_event, max_size=RECENT + 5))
@settings(max_examples=30, deadline=None)
def test_pending_events_are_nineteen_bytes_each_in_the_order_of_arrival(events: list[Event]) -> None:
    names = [f"event {number}" for number in range(len(events))]
    entries = pack_pending(*columns(events), product_keys(names))
    assert entries.shape == (len(events), PENDING_BYTES)
    rows, kinds, times = decode_pending(entries.tobytes(), ITEMS)
    found = list(zip([ITEMS.ids[row] for row in rows], kinds.tolist(), times.tolist(), strict=True))
    assert found == events
    ends = b"".join(entry[13:].tobytes() for entry in entries)
    np.testing.assert_array_equal(unpack_keys(ends), product_keys(names))


def test_pending_events_of_products_that_the_bundle_lacks_are_left_out() -> None:
    events = [("p1", 0, 10**15), ("gone", 1, 10**15 + 1), ("p2", 3, 10**15 + 2)]
    value = pack_pending(*columns(events), product_keys("abc")).tobytes()
    rows, kinds, times = decode_pending(value, table(["p1", "p2"]))
    assert (rows.tolist(), kinds.tolist(), times.tolist()) == ([0, 1], [0, 3], [10**15, 10**15 + 2])
    with pytest.raises(IncompatibleBundle, match="another version"):
        decode_pending(value[:-1], ITEMS)


def test_what_the_bundle_lacks_is_left_out_and_the_order_stays() -> None:
    events = [("p1", 0, 10**15), ("gone", 1, 10**15 + 1), ("p2", 3, 10**15 + 2)]
    [value] = packed(Person(category="tools", recent=events, bought=["gone", "p2"]))
    state = decode_user(value, table(["p1", "p2"]))
    assert state.items.tolist() == [0, 1]
    assert state.kinds.tolist() == [0, 3]
    assert state.times.tolist() == [10**15, 10**15 + 2]
    assert state.bought.tolist() == [1]
    assert state.favorite_category == -1


def test_arrays_of_a_decoded_state_belong_to_nobody_else() -> None:
    state = decode_user(packed(Person(recent=[("p1", 0, 10**15)]))[0], ITEMS)
    for array in (state.features, state.items, state.kinds, state.times):
        assert array.flags.writeable
        assert array.flags.aligned
        assert array.flags.c_contiguous


@pytest.mark.parametrize(
    "spoil", [lambda v: v[:20], lambda v: b"\x63" + v[1:], lambda v: v[:4] + b"????" + v[8:]]
)
def test_a_user_of_another_layout_or_catalogue_is_refused(spoil: Callable[[bytes], bytes]) -> None:
    [value] = packed(Person())
    with pytest.raises(IncompatibleBundle, match="another layout or feature catalogue"):
        decode_user(spoil(value), ITEMS)


def test_a_session_of_another_layout_is_refused() -> None:
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
