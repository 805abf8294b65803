"""A Redis that is gone or slow costs one request its budget; what was seen last answers meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from reco_assets.online import keys
from reco_assets.platform.settings import Settings
from reco_serving.breaker import State
from reco_serving.remembered import Remembered
from reco_serving.state import Packed, StateReader


@contextmanager
def frozen(store: redis.Redis) -> Iterator[None]:
    """Redis takes connections and answers nothing."""
    process = int(store.info("server")["process_id"])
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def patient(settings: Settings) -> Settings:
    """Reads that may take half a second: this machine may be busy with other things."""
    return settings.model_copy(update={"deadline_ms": 2_000.0})


async def until_it_is_asked(reader: StateReader) -> None:
    async with asyncio.timeout(60.0):
        while not reader.breaker.closed:
            await asyncio.sleep(0.01)


def test_what_was_seen_last_answers_while_redis_is_frozen(
    redis_settings: Settings, store: redis.Redis
) -> None:
    store.mset({keys.user("ann"): b"state", keys.pending("ann"): b"new", keys.session("s"): b"visit"})
    states: list[State] = []

    async def test() -> None:
        reader = StateReader.open(patient(redis_settings), states.append)
        whole = await reader.read("ann", "s")
        assert whole == Packed(b"state", b"new", b"visit")
        with frozen(store):
            # all of them wait together, and the first that gives up speaks for the others
            together = await asyncio.gather(*(reader.read("ann", "s") for _ in range(5)))
            assert set(together) == {Packed(b"state", b"new", b"visit", reached=False)}
            assert reader.trouble == "it does not answer within 500 ms"
            assert states == [State.open]
            assert await reader.read("bob", None) == Packed(reached=False)
        await until_it_is_asked(reader)
        assert (await reader.read("ann", None)).reached
        await reader.close()

    asyncio.run(test())
    assert (states[0], states[-1]) == (State.open, State.closed)


def test_a_caller_in_a_hurry_says_nothing_of_redis(redis_settings: Settings, store: redis.Redis) -> None:
    async def test() -> None:
        reader = StateReader.open(patient(redis_settings))
        assert (await reader.read("ann", None)).reached
        with frozen(store):
            assert not (await reader.read("ann", None, left=0.001)).reached
            assert reader.breaker.closed
        await reader.close()

    asyncio.run(test())


def test_no_more_is_remembered_than_asked_for() -> None:
    remembered: Remembered[int] = Remembered(2)
    for number, name in enumerate(("a", "b", "a", "c")):
        remembered.keep(name, number)
    assert [remembered.get(name) for name in "abc"] == [2, None, 3]
    heard: list[bool] = []
    told: Remembered[int] = Remembered(1, heard.append)
    told.keep("a", 1)
    assert (told.get("a"), told.get("b"), heard) == (1, None, [True, False])
    nothing: Remembered[int] = Remembered(0)
    nothing.keep("a", 1)
    assert nothing.get("a") is None
