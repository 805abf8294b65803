"""A new list for each thing that happens in a session: how many, and in which order."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest
import redis.asyncio
from starlette.types import Message, Scope

from reco_assets.online import keys
from reco_assets.platform.redis import redis_url
from reco_assets.platform.settings import Settings
from reco_assets.recommender.asked import RecommendRequest
from reco_serving.http import Refusal
from reco_serving.live import Following, Live
from reco_serving.metrics import Metrics
from reco_serving.replies import Recommended
from reco_serving.streaming import Lister, Streaming
from tests.serving.conftest import Running, until

Lists = Iterator[dict[str, Any]]


@contextmanager
def stream(service: Running, path: str) -> Iterator[Lists]:
    """The lists of an open stream."""
    with service.client.stream("GET", f"/stream/{path}", timeout=60.0) as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream"
        yield lists(response)


def lists(response: httpx.Response) -> Lists:
    told: dict[str, str] = {}
    for line in response.iter_lines():
        if line:
            name, _, value = line.partition(": ")
            told[name] = value
        elif "data" in told:
            assert told["event"] == "recommendations"
            answer = msgspec.json.decode(told["data"])
            assert told["id"] == answer["recommendation_id"]
            yield answer
            told = {}


def click(service: Running, name: str, product: str, session: str) -> None:
    event = {
        "event_id": name,
        "user_id": session,
        "session_id": session,
        "event_type": "click",
        "product_id": product,
        "timestamp": datetime.now(UTC).isoformat(),
    }
    with httpx.Client(base_url=service.client.base_url) as another:
        assert another.post("/events", json=event).status_code == 202


def value(service: Running, series: str) -> float:
    (found,) = re.findall(rf"^{series} (\S+)$", service.client.get("/metrics").text, re.MULTILINE)
    return float(found)


def ids(answer: dict[str, Any]) -> list[str]:
    return [one["product_id"] for one in answer["recommendations"]]


def test_each_event_of_the_session_brings_a_new_list(fresh: Running) -> None:
    before = value(fresh, "reco_live_list_seconds_count")
    with stream(fresh, "s1?num_recommendations=5") as answers:
        seen = [next(answers)]
        for number, product in enumerate(("p1", "p2", "p3")):
            click(fresh, f"other{number}", "p9", "s2")
            click(fresh, f"e{number}", product, "s1")
            seen.append(next(answers))
        assert [len(ids(one)) for one in seen] == [5] * 4
        assert {one["user_id"] for one in seen} == {"s1"}
        # the list knows the event that it came for
        now = fresh.recommend(user_id="s1", session_id="s1", num_recommendations=5)
        assert ids(seen[-1]) == ids(now)
        assert ids(seen[0]) != ids(seen[-1])
        assert value(fresh, "reco_live_streams") == 1
    until(lambda: value(fresh, "reco_live_streams") == 0, "the stream is closed")
    assert value(fresh, "reco_live_list_seconds_count") == before + 3


def test_two_streams_of_a_session_hear_the_same(fresh: Running) -> None:
    with stream(fresh, "s3") as one, stream(fresh, "s3?user_id=ann") as another:
        assert (next(one)["user_id"], next(another)["user_id"]) == ("s3", "ann")
        click(fresh, "e1", "p1", "s3")
        next(one)
        next(another)
    with stream(fresh, "s3") as again:
        next(again)
        click(fresh, "e2", "p2", "s3")
        next(again)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("s1?num_recommendations=0", "num_recommendations"),
        ("s1?num_recommendations=few", "num_recommendations"),
        ("", "user_id"),
        ("x" * 300, "user_id"),
    ],
)
def test_what_cannot_be_understood_is_refused(fresh: Running, path: str, field: str) -> None:
    response = fresh.client.get(f"/stream/{path}")
    assert response.status_code == 400
    assert response.json()["error"]["field"] in (field, "session_id")


def test_a_stream_is_asked_for_by_get(fresh: Running) -> None:
    refused = fresh.client.post("/stream/s1")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET")


async def nothing(asked: RecommendRequest, body: bytes) -> Recommended:
    return Recommended(asked.user_id, [], "m", 0.0, "r", "default", False, "full")


def scope(session: str) -> Scope:
    return {"type": "http", "method": "GET", "path": f"/stream/{session}", "query_string": b"", "headers": []}


def open_live(settings: Settings, most: int, metrics: Metrics) -> Live:
    return Live(redis.asyncio.Redis.from_url(redis_url(settings)), most, metrics)


def test_a_silent_stream_says_that_it_is_there(
    redis_settings: Settings, store: redis.Redis, metrics: Metrics
) -> None:
    async def run() -> list[Message]:
        live = open_live(redis_settings, 1, metrics)
        live.start()
        sent: list[Message] = []
        left = asyncio.Event()

        async def receive() -> Message:
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)
            if [one.get("body") for one in sent].count(b": still here\n\n") == 2:
                left.set()

        await Streaming(lambda: live, nothing, heartbeat_seconds=0.01)(scope("s"), receive, send)
        assert live.open == 0
        await live.stop()
        return sent

    sent = asyncio.run(run())
    assert [one["type"] for one in sent[:2]] == ["http.response.start", "http.response.body"]
    assert sent[1]["body"].startswith(b"id: r\nevent: recommendations\ndata: {")
    assert sent[-1]["body"] == b": still here\n\n"


def test_a_worker_that_ends_closes_its_streams(
    redis_settings: Settings, store: redis.Redis, metrics: Metrics
) -> None:
    async def run() -> list[Message]:
        live = open_live(redis_settings, 1, metrics)
        live.start()
        sent: list[Message] = []

        async def receive() -> Message:
            await asyncio.Event().wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)
            asyncio.get_running_loop().call_soon(live.finish)

        await Streaming(lambda: live, nothing)(scope("s"), receive, send)
        await live.stop()
        return sent

    assert asyncio.run(run())[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


def test_no_more_streams_than_a_worker_may_have(
    redis_settings: Settings, store: redis.Redis, metrics: Metrics
) -> None:
    async def run() -> None:
        live = open_live(redis_settings, 2, metrics)
        live.start()
        async with live.follow("a"), live.follow("b"):
            with pytest.raises(Refusal, match="2 streams are open here"):
                async with live.follow("a"):
                    pass
            assert live.open == metrics.streams.open._value.get() == 2
        async with live.follow("c"):
            assert live.open == metrics.streams.open._value.get() == 1
        await live.stop()

    asyncio.run(run())


def test_a_worker_hears_of_what_another_has_collected(
    redis_settings: Settings, store: redis.Redis, metrics: Metrics
) -> None:
    async def run() -> None:
        live = open_live(redis_settings, 2, metrics)
        live.start()
        async with live.follow("a") as one, live.follow("b") as other:
            store.publish(keys.session("a"), b"")
            await one.news.wait()
            assert not other.news.is_set()
        await live.stop()

    asyncio.run(run())


def test_a_list_is_for_all_that_happened_since_the_one_before_it() -> None:
    following = Following()
    for at in (3.0, 2.0, None, 4.0):
        following.hear(at)
    assert following.news.is_set()
    assert following.take() == 2.0
    assert not following.news.is_set()
    following.hear(None)
    assert following.take() is None


def delays(metrics: Metrics) -> tuple[float, float]:
    """How many lists came after an event, and the seconds of all of them."""
    (found,) = metrics.streams.delay.collect()
    told = {one.name: one.value for one in found.samples if "le" not in one.labels}
    return told["delay_count"], told["delay_sum"]


def refused(metrics: Metrics, status: str) -> float:
    return float(metrics.refusals.labels("stream", status)._value.get())


def followed(live: Live, store: redis.Redis, listed: Lister) -> list[Message]:
    """What a stream of session s sends until its second list, or its end.

    When the first list has come something happens in the session, at 1 s by a clock that then stands at 2.25.
    """
    sent: list[Message] = []

    async def run() -> None:
        live.start()
        left = asyncio.Event()

        async def receive() -> Message:
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            sent.append(message)
            seen = [one.get("body", b"").startswith(b"id: ") for one in sent]
            if seen.count(True) == 1 and seen[-1]:
                store.publish(keys.session("s"), b"1000000")
            elif seen.count(True) == 2:
                left.set()

        await Streaming(lambda: live, listed, clock=lambda: 2.25)(scope("s"), receive, send)
        await live.stop()

    asyncio.run(run())
    return sent


def test_the_time_of_a_list_is_that_since_its_event_also_where_it_was_refused_at_first(
    redis_settings: Settings, store: redis.Redis, metrics: Metrics
) -> None:
    crowd = iter([False, True, False])

    async def crowded(asked: RecommendRequest, body: bytes) -> Recommended:
        if next(crowd):
            raise Refusal(429, "body", "too much is asked")
        return await nothing(asked, body)

    sent = followed(open_live(redis_settings, 1, metrics), store, crowded)
    assert b": too much is asked at the moment\n\n" in [one.get("body") for one in sent]
    assert delays(metrics) == (1, 1.25)
    assert refused(metrics, "429") == 1
    assert metrics.streams.open._value.get() == 0


def test_a_defect_before_the_first_list_is_500_and_after_it_an_end(
    redis_settings: Settings, store: redis.Redis, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    works = iter([False, True, False])

    async def defective(asked: RecommendRequest, body: bytes) -> Recommended:
        if not next(works):
            raise ZeroDivisionError("a defect")
        return await nothing(asked, body)

    at_once = followed(open_live(redis_settings, 1, metrics), store, defective)
    assert (at_once[0]["status"], len(at_once)) == (500, 2)
    assert "its log says how" in msgspec.json.decode(at_once[1]["body"])["error"]["reason"]
    later = followed(open_live(redis_settings, 1, metrics), store, defective)
    assert (later[0]["status"], later[1]["body"][:4]) == (200, b"id: ")
    assert later[2:] == [{"type": "http.response.body", "body": b"", "more_body": False}]
    assert refused(metrics, "500") == caplog.text.count("ZeroDivisionError: a defect") == 2
    assert metrics.streams.open._value.get() == 0
