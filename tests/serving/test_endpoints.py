"""What an endpoint answers when the request does not come, or when the service itself is at fault."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from starlette.types import Message, Scope

from reco_serving.calls import Call, Priority
from reco_serving.endpoints import Answer, Endpoint, Parts
from reco_serving.gate import Gate
from reco_serving.http import Refusal, posted
from reco_serving.ladder import LADDER, Cost
from reco_serving.loaded import Loaded
from reco_serving.metrics import Metrics

POST: Scope = {"type": "http", "method": "POST", "path": "/recommend", "headers": []}


async def whole_body() -> Message:
    return {"type": "http.request", "body": b"{}", "more_body": False}


async def nothing() -> Message:
    return cast(Message, await asyncio.get_running_loop().create_future())


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    with pytest.raises(Refusal, match=r"did not come within 0\.01 seconds") as refused:
        asyncio.run(posted(POST, nothing, seconds=0.01))
    assert refused.value.status == 408


def told(metrics: Metrics, made: Answer, own: Gate | None = None) -> list[dict[str, Any]]:
    """What an endpoint sends whose answer is ``made`` so, behind its ``own`` gate."""
    sent: list[dict[str, Any]] = []

    async def send(message: Message) -> None:
        sent.append(dict(message))

    gate = own or Gate(metrics.guards, lambda now: 0.001)
    parts = cast(Parts, SimpleNamespace(metrics=metrics, deadline_seconds=0.1, tracer=None, gate=gate))
    asyncio.run(Endpoint(lambda: parts, "recommend", made)(POST, whole_body, send))
    return sent


class Settling(Gate):
    """The gate of a worker that has just had an overload."""

    def settling(self, now: float) -> bool:
        return True


def test_after_an_overload_an_answer_ends_its_connection(metrics: Metrics) -> None:
    async def answered(parts: Parts, body: bytes, call: Call) -> bytes:
        return b"{}"

    after = Settling(metrics.guards, lambda now: 0.001)
    assert (b"connection", b"close") in told(metrics, answered, after)[0]["headers"]
    assert (b"connection", b"close") not in told(metrics, answered)[0]["headers"]


@pytest.mark.parametrize(("waited", "rung"), [(0.0, "full"), (0.074, "full"), (0.076, "popular")])
def test_a_rung_is_in_time_when_its_answer_can_be_on_its_way_for_a_while(
    metrics: Metrics, waited: float, rung: str
) -> None:
    gate = Gate(metrics.guards, lambda now: 0.001)
    loaded = cast(Loaded, SimpleNamespace(costs={one: Cost(0.005, 0.005, 0.0, 1.0) for one in LADDER}))
    own = Call(1.0, 1.1, Priority.normal, "recommend")
    with gate.admitted(own):
        assert Parts.rung(cast(Parts, SimpleNamespace(gate=gate)), loaded, own, 1.0 + waited) == rung


def test_the_time_of_a_refusal_is_not_among_those_of_answers(metrics: Metrics) -> None:
    async def refused(parts: Parts, body: bytes, call: Call) -> bytes:
        raise Refusal(429, "body", "too much is asked")

    async def answered(parts: Parts, body: bytes, call: Call) -> bytes:
        return b"{}"

    assert [told(metrics, made)[0]["status"] for made in (refused, answered)] == [429, 200]
    (times,) = metrics.latency.collect()
    assert [one.value for one in times.samples if one.name.endswith("_count")] == [1]
    assert metrics.refusals.labels("recommend", "429")._value.get() == 1


def test_a_defect_is_500_in_the_counters_and_in_the_log(
    metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(parts: Parts, body: bytes, call: Call) -> bytes:
        raise ZeroDivisionError("a defect")

    with caplog.at_level(logging.ERROR):
        sent = told(metrics, broken)
    assert sent[0]["status"] == 500
    assert "its log says how" in msgspec.json.decode(sent[1]["body"])["error"]["reason"]
    assert "ZeroDivisionError: a defect" in caplog.text
    assert metrics.refusals.labels("recommend", "500")._value.get() == 1
