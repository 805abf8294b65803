"""What goes with a product and what trends, by the policy file and by the request's own rules."""

from __future__ import annotations

import pytest

from reco_assets.online import keys
from reco_assets.platform.redis import open_redis
from tests.serving.bundles import PRODUCTS
from tests.serving.conftest import Running
from tests.serving.test_personal import remember, told
from tests.serving.test_policy import ruled, shown

__all__ = ["ruled"]

LISTS = ("similar", "trending")


def ids(service: Running, endpoint: str, **body: object) -> list[str]:
    """Product ids of an answer to a question about p1, which is not degraded."""
    answer = told(service, endpoint, product_id="p1", **body)
    assert answer["degraded"] is False
    return [str(one["product_id"]) for one in shown(answer)]


@pytest.mark.parametrize(("endpoint", "ranked"), [("similar", True), ("trending", False)])
def test_the_policy_file_holds(ruled: Running, endpoint: str, ranked: bool) -> None:
    products = shown(told(ruled, endpoint, product_id="p1", num_recommendations=100))
    numbers = [int(str(one["product_id"])[1:]) for one in products]
    assert len(numbers) == PRODUCTS * 4 // 5 - (endpoint == "similar")
    assert all(number % 5 != 3 for number in numbers)
    for one in products:  # a boost is for what is ranked: of these few events nothing trends
        assert one["rules"] == (["tools first"] if ranked and one["category"] == "tools" else [])
    assert not any(one["campaign"] for one in products)


@pytest.mark.parametrize("endpoint", LISTS)
def test_the_rules_of_the_request_hold(fresh: Running, endpoint: str) -> None:
    first = ids(fresh, endpoint)
    assert len(first) == 10
    without = ids(fresh, endpoint, exclude=first[:2], context={"cart": first[2:4]}, num_recommendations=60)
    assert not set(first[:4]) & set(without)
    assert len(without) == PRODUCTS - 4 - (endpoint == "similar")
    assert ids(fresh, endpoint, filters="product_id in ('p3', 'p4')", category="tools") == []
    assert sorted(ids(fresh, endpoint, filters="product_id in ('p3', 'p5')")) == ["p3", "p5"]
    tools = told(fresh, endpoint, product_id="p2", category="tools", num_recommendations=30, exclude=["p5"])
    assert {one["category"] for one in shown(tools)} == {"tools"}
    excluded = 1 + (endpoint == "similar")
    assert tools["shortfall"] == {
        "missing": 10 + excluded, "catalogue": PRODUCTS, "left_out": {"category": 40, "exclude": excluded},
    }  # fmt: skip


@pytest.mark.parametrize("endpoint", LISTS)
def test_what_the_user_has_bought_is_left_out(fresh: Running, endpoint: str) -> None:
    first = ids(fresh, endpoint, user_id="ann")
    assert first == ids(fresh, endpoint)
    remember(fresh, ann=first[:3])
    assert not set(first[:3]) & set(ids(fresh, endpoint, user_id="ann", num_recommendations=60))
    assert ids(fresh, endpoint, user_id="bob") == ids(fresh, endpoint) == first
    with open_redis(fresh.settings) as client:
        client.set(keys.user("ann"), b"\x63 from another time")
    assert told(fresh, endpoint, product_id="p1", user_id="ann")["degraded"] is True


@pytest.mark.parametrize("endpoint", LISTS)
def test_a_list_that_is_too_short_says_why(fresh: Running, endpoint: str) -> None:
    assert told(fresh, endpoint, product_id="p1")["shortfall"] is None
    left_out = {"exclude": 1} if endpoint == "similar" else {}
    assert told(fresh, endpoint, product_id="p1", num_recommendations=100)["shortfall"] == {
        "missing": 100 - PRODUCTS + len(left_out), "catalogue": PRODUCTS, "left_out": left_out,
    }  # fmt: skip


@pytest.mark.parametrize("endpoint", LISTS)
@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("filters", "prise < 5", "did you mean price?"),
        ("category", "no such", "there is no category 'no such'"),
        ("exclude", ["p1", 1.5], "Expected"),
    ],
)
def test_rules_that_mean_nothing_are_refused(
    fresh: Running, endpoint: str, field: str, value: object, reason: str
) -> None:
    response = fresh.ask(endpoint, {"product_id": "p1", field: value})
    assert response.status_code == 400
    assert response.json()["error"]["field"].startswith(field)
    assert reason in response.json()["error"]["reason"]
