"""After a phone comes a case, not another phone; and nothing where nobody goes on anywhere."""

from __future__ import annotations

import numpy as np
import pytest

from reco_assets.candidates.complements import Complements
from tests.candidates.shops import NOW, Did, Product, buy, click, log, past, shop, top

SHOP = shop(
    *(Product(f"phone{n}", category="phones") for n in range(3)),
    *(Product(f"case{n}", category="cases") for n in range(30)),
    *(Product(f"sock{n}", category="socks") for n in range(30)),
    *(Product(f"shoe{n}", category="shoes") for n in range(30)),
    Product("loose"),
)


def errands() -> list[Did]:
    """Forty people buy a phone and then a case, forty others shoes and then socks."""
    events = []
    for one in range(40):
        events += [buy(f"p{one}", f"phone{one % 3}", ago=9), buy(f"p{one}", f"case{one % 4}", ago=8)]
        events += [buy(f"s{one}", f"shoe{one % 9}", ago=9), buy(f"s{one}", f"sock{one % 9}", ago=8)]
    return events


def as_clicks(events: list[Did]) -> list[Did]:
    return [click(event.user, event.product, ago=event.ago) for event in events]


@pytest.mark.parametrize("events", [errands(), as_clicks(errands())], ids=["bought", "seen"])
def test_phones_are_followed_by_cases(events: list[Did]) -> None:
    source = Complements.fit(log(SHOP, *events), SHOP, NOW)
    found = top(source, SHOP, past(SHOP, "phone1"), 40)
    assert len(found) == 20
    assert all(product.startswith("case") for product in found)
    assert set(list(found)[:4]) == {"case0", "case1", "case2", "case3"}
    assert all(product.startswith("sock") for product in top(source, SHOP, past(SHOP, "shoe7"), 40))


def test_what_follows_is_not_what_went_before() -> None:
    source = Complements.fit(log(SHOP, *errands()), SHOP, NOW)
    assert top(source, SHOP, past(SHOP, "case1")) == {}


def test_purchases_say_what_goes_with_it_and_not_what_people_compare() -> None:
    compared = [
        click(f"v{one}", product, ago=5 - step / 9)
        for one in range(99)
        for step, product in enumerate(["phone0", "sock1", "phone2", "sock3"])
    ]
    source = Complements.fit(log(SHOP, *errands(), *compared), SHOP, NOW)
    assert all(product.startswith("case") for product in top(source, SHOP, past(SHOP, "phone1"), 40))


def test_where_people_go_anywhere_nothing_follows() -> None:
    rng = np.random.default_rng(2)
    # socks are what half of all visits are to
    visits = rng.choice(["sock", "phone", "shoe", "case"], (200, 12), p=[0.5, 0.2, 0.2, 0.1])
    events = [
        buy(f"u{one}", f"{kind}{step % 3}", ago=12 - step)
        for one, row in enumerate(visits.tolist())
        for step, kind in enumerate(row)
    ]
    source = Complements.fit(log(SHOP, *events), SHOP, NOW)
    for kind in ("phone1", "sock1", "shoe1", "case1"):
        assert top(source, SHOP, past(SHOP, kind)) == {}


def test_two_people_are_no_rule() -> None:
    few = [*errands(), buy("x", "phone1", ago=3), buy("x", "sock1", ago=2)]
    found = top(Complements.fit(log(SHOP, *few), SHOP, NOW), SHOP, past(SHOP, "phone1"), 100)
    assert not any(product.startswith("sock") for product in found)


@pytest.mark.parametrize("seen", [(), ("loose",)])
def test_without_a_category_it_is_silent(seen: tuple[str, ...]) -> None:
    source = Complements.fit(log(SHOP, *errands()), SHOP, NOW)
    assert top(source, SHOP, past(SHOP, *seen)) == {}
    bare = shop("a", "b")
    silent = Complements.fit(log(bare, buy("u", "a"), buy("u", "b")), bare, NOW)
    assert top(silent, bare, past(bare, "a")) == {}
