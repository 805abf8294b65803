"""Carts that are completed, what is bought again, what was looked at, and lists that a search has made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from reco_assets.online import keys
from reco_assets.online.materialise import write_users
from reco_assets.platform.redis import open_redis
from tests.online.test_materialise import START, bought, recents, users
from tests.serving.bundles import PRODUCTS
from tests.serving.conftest import Running, until


def listed(service: Running, endpoint: str, **body: object) -> list[str]:
    """Product ids of an answer, which must be 200 and whole."""
    answer = told(service, endpoint, **body)
    assert (answer["rung"], answer["degraded"]) == ("full", False)
    shown = answer["recommendations"]
    assert isinstance(shown, list)
    assert [one["position"] for one in shown] == list(range(len(shown)))
    return [one["product_id"] for one in shown]


def told(service: Running, endpoint: str, **body: object) -> dict[str, object]:
    response = service.ask(endpoint, body)
    assert response.status_code == 200, response.text
    return dict(response.json())


def remember(service: Running, *events: tuple[str, str, str, int], **purchases: list[str]) -> None:
    """Let the online store hold events and purchases."""
    known = {event[0]: 1.0 for event in events} | dict.fromkeys(purchases, 1.0)
    with open_redis(service.settings) as client:
        write_users(client, users(**known), recents(*events), bought(**purchases), ttl_days=30)


def collect(service: Running, **fields: object) -> None:
    event = {"event_type": "click", "timestamp": datetime.now(UTC).isoformat()} | fields
    assert service.ask("events", event).status_code == 202


def test_a_cart_is_completed_with_what_is_not_in_it(fresh: Running) -> None:
    whole = listed(fresh, "bought-together", products=["p1"], cart=["p4", 7, "gone"])
    assert len(whole) == 10
    assert not {"p1", "p4"} & set(whole)
    assert listed(fresh, "bought-together", context={"cart": ["p1"]}) == listed(
        fresh, "bought-together", cart=["p1"]
    )


def test_a_cart_is_completed_within_the_rules(fresh: Running) -> None:
    first = listed(fresh, "bought-together", products=["p1"], user_id="ann")
    remember(fresh, ann=first[:3])
    without = listed(fresh, "bought-together", products=["p1"], user_id="ann", exclude=first[3:4])
    assert not set(first[:4]) & set(without)
    tools = told(fresh, "bought-together", products=["p2"], category="tools", num_recommendations=30)
    assert isinstance(tools["recommendations"], list)
    assert {one["category"] for one in tools["recommendations"]} == {"tools"}
    assert tools["shortfall"] == {"missing": 11, "catalogue": 60, "left_out": {"category": 40, "cart": 1}}
    cheap = told(fresh, "bought-together", products=["p1"], filters='product_id = "p3"')
    assert isinstance(cheap["recommendations"], list)
    assert [one["product_id"] for one in cheap["recommendations"]] == ["p3"]


def test_a_cart_has_something_in_it(fresh: Running) -> None:
    response = fresh.ask("bought-together", {"user_id": "ann"})
    assert response.status_code == 400
    assert response.json()["error"] == {"field": "products", "reason": "is required where no cart is given"}


def test_only_what_was_bought_is_bought_again(fresh: Running) -> None:
    assert listed(fresh, "buy-again", user_id="ann") == []
    remember(fresh, ("ann", "p9", "click", 0), ann=["p1", "p2", "p3"])
    again = listed(fresh, "buy-again", user_id="ann")
    assert sorted(again) == ["p1", "p2", "p3"]
    assert listed(fresh, "buy-again", user_id="ann", num_recommendations=2) == again[:2]
    limited = {"user_id": "ann", "exclude": ["p1"], "context": {"cart": ["p2"]}}
    assert listed(fresh, "buy-again", **limited) == ["p3"]
    assert told(fresh, "buy-again", **limited)["shortfall"] == {
        "missing": 9, "catalogue": PRODUCTS, "left_out": {"not bought": 57, "exclude": 1, "cart": 1},
    }  # fmt: skip
    assert not set(fresh.products(user_id="ann", num_recommendations=50)) & set(again)


def test_what_was_looked_at_comes_back_the_newest_first(fresh: Running) -> None:
    remember(
        fresh,
        ("ann", "p1", "click", 0),
        ("ann", "p2", "click", 1),
        ("ann", "p3", "purchase", 2),
        ("ann", "p1", "click", 3),
        ann=["p3"],
    )
    assert listed(fresh, "recently-viewed", user_id="ann") == ["p1", "p2"]
    answer = told(fresh, "recently-viewed", user_id="ann", num_recommendations=1)
    assert isinstance(answer["recommendations"], list)
    assert answer["recommendations"][0]["score"] == (START + timedelta(seconds=3)).timestamp()
    collect(fresh, event_id="e1", user_id="ann", session_id="s1", product_id="p8")
    # a Redis that is slow for a moment has it a little later: it is durable in the spool until then
    until(lambda: listed(fresh, "recently-viewed", user_id="ann") == ["p8", "p1", "p2"], "the click is seen")
    assert listed(fresh, "recently-viewed", user_id="bob", session_id="s1") == ["p8"]
    assert listed(fresh, "recently-viewed", user_id="ann", context={"products": ["p2"]}) == ["p2", "p8", "p1"]


def test_a_list_comes_back_whole_in_another_order(fresh: Running) -> None:
    asked = [f"p{number}" for number in range(0, PRODUCTS, 2)]
    remember(fresh, *(("ann", f"p{n}", "click", n) for n in (6, 12, 18)), ann=["p2"])
    answer = told(fresh, "rank", user_id="ann", products=["gone", *asked, 17, "p2"])
    ranking = answer["ranking"]
    assert isinstance(ranking, list)
    assert answer["unknown"] == ["gone", "17"]
    assert [one["position"] for one in ranking] == list(range(len(asked) + 2))
    ids = [one["product_id"] for one in ranking]
    assert sorted(ids[:-2]) == sorted(asked)
    assert ids[:-2] != asked
    assert ids[-2:] == ["gone", "17"]
    assert [one["score"] for one in ranking[-2:]] == [None, None]
    scores = [one["score"] for one in ranking[:-2]]
    assert scores == sorted(scores, reverse=True)
    alone = told(fresh, "rank", user_id="ann", products=asked)["ranking"]
    assert isinstance(alone, list)
    assert ids[:-2] == [one["product_id"] for one in alone]


def test_a_list_of_strangers_is_a_list(fresh: Running) -> None:
    answer = told(fresh, "rank", user_id="ann", products=["gone"])
    assert answer["ranking"] == [{"product_id": "gone", "position": 0, "score": None, "source": None}]


@pytest.mark.parametrize("endpoint", ["bought-together", "buy-again", "recently-viewed", "rank"])
def test_there_is_always_an_answer_in_time(fresh: Running, endpoint: str) -> None:
    remember(fresh, ("ann", "p1", "click", 0), ann=["p2"])
    body = {"user_id": "ann", "products": ["p5", "p6"]}
    response = fresh.client.post(f"/{endpoint}", json=body, headers={"X-Deadline-Ms": "0.001"})
    assert response.status_code == 200
    if endpoint in ("bought-together", "rank"):
        assert response.json()["degraded"] is True


def test_a_value_of_another_layout_degrades_every_list(fresh: Running) -> None:
    with open_redis(fresh.settings) as client:
        client.set(keys.user("ann"), b"\x63 from another time")
    for endpoint in ("bought-together", "buy-again", "recently-viewed", "rank"):
        answer = told(fresh, endpoint, user_id="ann", products=["p1"])
        assert (answer["rung"], answer["degraded"]) == ("no_user_state", True)
