"""Several requests in one: the answers are those of the requests alone."""

from __future__ import annotations

from reco_assets.events.decided import PARTITIONS, STREAM, decode
from reco_assets.online.materialise import write_users
from reco_assets.platform.redis import open_redis
from reco_assets.platform.streams.redis_stream import RedisStream
from reco_serving.decisions import KEPT
from tests.online.test_materialise import bought, recents, users
from tests.serving.conftest import Running, until


def test_each_request_is_answered_as_if_it_were_alone(fresh: Running) -> None:
    with open_redis(fresh.settings) as client:
        seen, owned = recents(("bob", "p1", "click", 0)), bought(ann=["p3"])
        write_users(client, users(ann=1.0, bob=1.0), seen, owned, ttl_days=30)
    bodies: list[dict[str, object]] = [
        {"user_id": "ann", "num_recommendations": 5},
        {"user_id": "bob", "session_id": "s1", "category": "tools"},
        {"user_id": 17, "exclude": ["p1"]},
        {"user_id": "ann", "num_recommendations": 5},
    ]
    response = fresh.ask("recommend/batch", {"requests": bodies})
    assert response.status_code == 200, response.text
    answers = response.json()["answers"]
    assert [one["user_id"] for one in answers] == ["ann", "bob", 17, "ann"]
    assert len({one["recommendation_id"] for one in answers}) == 4
    for body, answer in zip(bodies, answers, strict=True):
        assert [one["product_id"] for one in answer["recommendations"]] == fresh.products(**body)


def test_every_answer_of_a_batch_has_a_record(fresh: Running) -> None:
    requests = [{"user_id": f"u{number}"} for number in range(5)]
    answers = fresh.ask("recommend/batch", {"requests": requests}).json()["answers"]
    wanted = [one["recommendation_id"] for one in answers]
    with open_redis(fresh.settings) as client:
        stream = RedisStream(client, STREAM, PARTITIONS, KEPT)

        def records() -> dict[str, str]:
            found = [decode(record.value) for record in stream.read("0", None, 1000)]
            return {one.recommendation_id: asker.user for one, asker in found}

        until(lambda: records().keys() >= set(wanted), "the records are in the stream")
        assert [records()[one] for one in wanted] == ["u0", "u1", "u2", "u3", "u4"]


def test_what_is_wrong_is_named_with_its_place(fresh: Running) -> None:
    def fault(*requests: dict[str, object]) -> object:
        response = fresh.ask("recommend/batch", {"requests": requests})
        assert response.status_code == 400
        return response.json()["error"]["field"]

    one: dict[str, object] = {"user_id": "u"}
    assert fault() == "requests"
    assert fault(*[one] * 101) == "requests"
    assert fault({"user_id": "u"}, {}) == "requests[1].user_id"
    assert fault({"user_id": "u"}, {"user_id": "u", "category": "no such"}) == "requests[1].category"
    assert fault({"user_id": "u", "filters": "price <"}) == "requests[0].filters"
