"""What a person does again and again is remembered further back than the last events reach."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reco_assets.candidates.habits import LONG, REMEMBERED, HabitSource, habits_of, midnight
from reco_assets.candidates.retriever import History
from reco_assets.interactions.log import InteractionLog
from reco_assets.recommender.types import RECENT, Habits
from tests.candidates.shops import DAY, NOW, Did, Product, buy, click, log, past, shop, top

SHOP = shop(Product("milk"), Product("bread"), Product("sofa"), *(Product(f"p{n:02d}") for n in range(60)))
KEYS = np.asarray(SHOP.keys)
SOURCE = HabitSource.fit(log(SHOP, click("u1", "milk", ago=3), click("u1", "milk", ago=2)), SHOP, NOW)
#: Milk every day for a month, then more looking around than the last events hold.
DAYS = [buy("me", "milk", ago=60.0 - day) for day in range(30)]
AROUND = [click("me", f"p{n:02d}", ago=20.0 - n / 10) for n in range(LONG + 5)]


def remembered(events: list[Did], at: int = NOW) -> dict[str, float]:
    found = habits_of(log(SHOP, *events), KEYS, 0, at)
    return {SHOP.ids[row]: float(weight) for row, weight in zip(found.items, found.weights, strict=True)}


def with_habits(seen: History, events: list[Did], at: int) -> History:
    return replace(seen, habits=habits_of(log(SHOP, *events), KEYS, 0, at))


def test_what_was_done_often_long_ago_outweighs_what_was_seen_once() -> None:
    found = remembered([*DAYS, *AROUND])
    assert next(iter(found)) == "milk"
    assert found["milk"] == pytest.approx(sum(3 * 0.5 ** ((60 - day) / 30) for day in range(30)), rel=1e-3)


def test_short_histories_are_told_by_the_last_events_alone() -> None:
    assert remembered(AROUND[:LONG]) == {}
    assert len(remembered(AROUND[: LONG + 1])) == REMEMBERED


def test_only_the_heaviest_are_remembered_and_equals_stand_by_their_keys() -> None:
    many = [click("me", f"p{n:02d}", ago=5.0) for n in range(60)]
    found = habits_of(log(SHOP, *many), KEYS, 0, NOW)
    assert len(found.items) == REMEMBERED
    assert KEYS[found.items].tolist() == sorted(KEYS[found.items].tolist())


def test_nothing_after_the_moment_is_in_it() -> None:
    before = NOW - 10 * DAY
    assert remembered([*DAYS, *AROUND, buy("me", "sofa", ago=1.0)], before) == remembered(
        [*DAYS, *[one for one in AROUND if one.ago > 10]], before
    )


def test_the_weight_now_is_that_of_all_events_wherever_they_are_told() -> None:
    events = [*DAYS, *AROUND, click("me", "milk", ago=0.25), click("me", "sofa", ago=0.5)]
    last = sorted(events, key=lambda one: -one.ago)[-RECENT:]
    at = NOW - DAY
    scores = top(SOURCE, SHOP, with_habits(past(SHOP, *last), events, at), n=60)
    whole: dict[str, float] = {}
    for one in events:
        weight = (3.0 if one in DAYS else 1.0) * 0.5 ** (one.ago / 30)
        whole[one.product] = whole.get(one.product, 0.0) + weight
    for product in ("milk", "sofa", "p40"):
        assert scores[product] == pytest.approx(whole[product], rel=1e-3)


def test_without_habits_the_last_events_are_all_that_counts() -> None:
    seen = past(SHOP, click("me", "milk", ago=30), click("me", "bread", ago=0))
    assert top(SOURCE, SHOP, seen) == {"bread": 1.0, "milk": 0.5}
    assert top(SOURCE, SHOP, replace(seen, habits=Habits(at=NOW))) == {"bread": 1.0, "milk": 0.5}


def test_the_table_says_what_people_come_back_to() -> None:
    table = SOURCE.table(SHOP).filter(returning=1)
    assert table["product_id"].to_list() == ["milk"]


def test_a_midnight_is_the_last_one() -> None:
    assert midnight(3 * DAY) == 3 * DAY == midnight(4 * DAY - 1)


def test_other_people_are_other_people() -> None:
    both: InteractionLog = log(SHOP, *AROUND, *(click("you", "sofa", ago=n) for n in range(1, 60)))
    assert "sofa" not in {SHOP.ids[row] for row in habits_of(both, KEYS, 0, NOW).items}
    assert SHOP.ids[habits_of(both, KEYS, 1, NOW).items[0]] == "sofa"
