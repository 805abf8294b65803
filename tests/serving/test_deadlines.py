"""A request says how long it can wait, and is answered as well as can be done in that time."""

from __future__ import annotations

import pytest

from reco_assets.online.materialise import write_users
from reco_assets.platform.redis import open_redis
from tests.online.test_materialise import bought, recents, users
from tests.serving.conftest import Running


def ask(service: Running, deadline: str, **body: object) -> dict[str, object]:
    response = service.client.post("/recommend", json=body, headers={"X-Deadline-Ms": deadline})
    assert response.status_code == 200, response.text
    return dict(response.json())


def shown(answer: dict[str, object]) -> list[str]:
    products = answer["recommendations"]
    assert isinstance(products, list)
    return [one["product_id"] for one in products]


def test_there_is_always_time_for_what_is_popular(fresh: Running) -> None:
    answer = ask(fresh, "0.001", user_id="u")
    assert (answer["rung"], answer["degraded"]) == ("popular", True)
    assert len(shown(answer)) == 10
    assert ask(fresh, "60000", user_id="u")["degraded"] is False


def test_a_hurried_answer_shows_nothing_that_was_bought(fresh: Running) -> None:
    first = shown(ask(fresh, "0.5", user_id="ann"))
    with open_redis(fresh.settings) as client:
        write_users(client, users(ann=1.0), recents(), bought(ann=first), ttl_days=30)
    whole = ask(fresh, "60000", user_id="ann")  # the worker remembers what it has seen
    assert not set(shown(whole)) & set(first)
    hurried = ask(fresh, "0.001", user_id="ann")
    assert hurried["degraded"] is True
    assert not set(shown(hurried)) & set(first)


@pytest.mark.parametrize(("header", "value"), [("X-Deadline-Ms", "soon"), ("X-Priority", "vip")])
def test_a_header_that_cannot_be_read_is_named(fresh: Running, header: str, value: str) -> None:
    response = fresh.client.post("/recommend", json={"user_id": "u"}, headers={header: value})
    assert response.status_code == 400
    assert response.json()["error"]["field"] == header
