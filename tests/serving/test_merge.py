"""What is pending joins what is stored, in the order in which the tables will have both."""

from __future__ import annotations

import numpy as np

from reco_assets.catalogue.items import product_keys
from reco_assets.events.contract import EventType
from reco_assets.online.codec import encode_session, pack_pending
from reco_assets.online.materialise import user_values
from reco_assets.recommender.types import RECENT
from reco_serving.state import Packed, unpack
from tests.online.test_materialise import START, bought, recents, users
from tests.serving.bundles import items

START_US = int(START.timestamp() * 1_000_000)


def pending(*events: tuple[str, str, int]) -> bytes:
    """Events of ``(product, type, second)`` in the order in which they came."""
    products, kinds, seconds = zip(*events, strict=True)
    return pack_pending(
        product_keys(products),
        np.array([EventType[kind] for kind in kinds], np.int8),
        START_US + np.array(seconds, np.int64) * 1_000_000,
        product_keys(f"event {number}" for number in range(len(events))),
    ).tobytes()


def test_events_of_one_moment_stand_in_the_order_of_the_tables_whichever_came_first() -> None:
    """By the product's key, then by kind: as in the interaction log that training reads."""
    products = ["p1", "p2", "p3", "p4"]
    expected = sorted(products, key=lambda name: int(product_keys([name])[0]))
    for order in (products, products[::-1]):
        state, _ = unpack(Packed(pending=pending(*((name, "click", 7) for name in order))), items())
        assert [items().ids[row] for row in state.items] == expected
    both, _ = unpack(Packed(pending=pending(("p1", "add_to_cart", 7), ("p1", "click", 7))), items())
    assert both.kinds.tolist() == [int(EventType.click), int(EventType.add_to_cart)]


def test_a_stored_event_and_a_pending_one_of_the_same_moment_too() -> None:
    expected = sorted(["p1", "p2"], key=lambda name: int(product_keys([name])[0]))
    for stored, told in (("p1", "p2"), ("p2", "p1")):
        _, (value,) = user_values(users(ann=1.0), recents(("ann", stored, "click", 5)), bought())
        state, _ = unpack(Packed(user=value, pending=pending((told, "click", 5))), items())
        assert [items().ids[row] for row in state.items] == expected


def test_an_event_of_the_session_that_is_stored_already_is_there_once() -> None:
    _, (value,) = user_values(users(ann=1.0), recents(("ann", "p1", "click", 5)), bought())
    session = encode_session(
        product_keys(["p1"]), np.zeros(1, np.int8), np.array([START_US + 5_000_000], np.int64)
    )
    state, _ = unpack(Packed(user=value, session=session), items())
    assert len(state.items) == 1


def test_what_is_bought_again_is_the_last_that_was_bought() -> None:
    """As in the tables: a product stands at its last purchase, and the oldest give way."""
    names = ["p0", "p1", "p2", "p3"]
    _, (value,) = user_values(users(ann=1.0), recents(), bought(ann=names))
    state, _ = unpack(
        Packed(user=value, pending=pending(("p0", "purchase", 9), ("p50", "purchase", 8))), items()
    )
    kept = [items().ids[row] for row in state.bought]
    assert kept == [*names[1:], "p50", "p0"]


def test_what_was_bought_is_remembered_behind_many_later_events() -> None:
    """Found by benchmarks.equality: only the last 20 pending events used to be kept."""
    later = [(f"p{number % 50}", "click", 10 + number) for number in range(2 * RECENT)]
    state, _ = unpack(Packed(pending=pending(("p55", "purchase", 9), *later)), items())
    assert [items().ids[row] for row in state.bought] == ["p55"]
    assert len(state.items) == RECENT
    assert state.times.tolist() == [START_US + second * 1_000_000 for _, _, second in later[-RECENT:]]
