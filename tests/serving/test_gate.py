"""One answer at a time, the important ones first, and 429 for whoever could not be answered in time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import ExitStack
from typing import Any

import pytest

from reco_serving.calls import Call, Priority
from reco_serving.gate import Gate
from reco_serving.http import Refusal
from reco_serving.metrics import Metrics


class Clock:
    """A clock that stands still until it is told to go on."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def gate(metrics: Metrics, clock: Clock, cheapest: float = 0.001) -> Gate:
    return Gate(metrics.guards, lambda now: cheapest, clock)


def call(started: float = 0.0, allowed: float = 0.1, priority: Priority = Priority.normal) -> Call:
    return Call(started, started + allowed, priority, "recommend")


def overload(own: Gate) -> ExitStack:
    """More inside than some can be answered behind, of whom three have just been refused at the door."""
    crowd = ExitStack()
    for _ in range(10):
        crowd.enter_context(own.admitted(call(own.clock())))
    for _ in range(3):
        assert not own.overloaded(own.clock())
        with pytest.raises(Refusal):
            own.check(call(own.clock(), allowed=0.001))
    assert own.overloaded(own.clock())
    return crowd


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_whoever_comes_alone_need_not_wait(metrics: Metrics) -> None:
    async def test() -> None:
        own = gate(metrics, Clock())
        for _ in range(3):
            answer = asyncio.create_task(alone(own))
            await settle()
            assert answer.done()
            assert own.others(Priority.low) == 0

    async def alone(own: Gate) -> None:
        async with own.alone(call()):
            assert own.others(Priority.low) == 1

    run(test())
    assert metrics.guards.shed.labels("normal")._value.get() == 0


def test_turns_go_by_priority_and_then_by_arrival(metrics: Metrics) -> None:
    order: list[str] = []

    async def test() -> None:
        own = gate(metrics, Clock())

        async def visitor(name: str, priority: Priority) -> None:
            async with own.alone(call(priority=priority)):
                order.append(name)

        await own.turn(call())
        waiting = [
            asyncio.create_task(visitor(name, priority))
            for name, priority in (
                ("low", Priority.low),
                ("first", Priority.normal),
                ("second", Priority.normal),
                ("high", Priority.high),
            )
        ]
        await settle()
        assert order == []
        own.release()
        await asyncio.gather(*waiting)

    run(test())
    assert order == ["high", "first", "second", "low"]


def test_the_unimportant_wait_for_a_share_of_their_deadline_and_no_longer(metrics: Metrics) -> None:
    order: list[str] = []

    async def test() -> None:
        clock = Clock()
        own = gate(metrics, clock)

        async def visitor(name: str, priority: Priority) -> None:
            async with own.alone(call(clock.now, priority=priority)):
                order.append(name)

        await own.turn(call())
        waiting = [asyncio.create_task(visitor("low", Priority.low))]
        await settle()
        clock.now = 0.03
        waiting.append(asyncio.create_task(visitor("normal in time", Priority.normal)))
        waiting.append(asyncio.create_task(visitor("high in time", Priority.high)))
        await settle()
        clock.now = 0.06
        waiting.append(asyncio.create_task(visitor("normal, later", Priority.normal)))
        waiting.append(asyncio.create_task(visitor("high, later", Priority.high)))
        await settle()
        own.release()
        await asyncio.gather(*waiting)

    run(test())
    assert order == ["high in time", "low", "normal in time", "high, later", "normal, later"]


def test_who_waits_past_the_deadline_hears_429_in_time(metrics: Metrics) -> None:
    async def test() -> None:
        clock = Clock()
        own = gate(metrics, clock)
        crowd = overload(own)
        await own.turn(call())
        late = asyncio.create_task(own.turn(call(allowed=0.05)))
        patient = asyncio.create_task(own.turn(call(allowed=5.0)))
        await settle()
        # its answer would still have to be sent, and it was under way before it was seen
        clock.now = 0.025
        own.release()
        with pytest.raises(Refusal) as refused:
            await late
        assert refused.value.status == 429
        assert (b"retry-after", b"1") in refused.value.headers
        assert await patient == clock.now
        assert own.pace == 0.0
        crowd.close()

    run(test())
    assert metrics.guards.shed.labels("normal")._value.get() == 4


def test_who_may_still_be_answered_in_time_is(metrics: Metrics) -> None:
    async def test() -> None:
        clock = Clock()
        own = gate(metrics, clock)
        with overload(own):
            await own.turn(call())
            waiting = asyncio.create_task(own.turn(call(allowed=0.05)))
            await settle()
            clock.now = 0.018
            own.release()
            assert await waiting == clock.now

    run(test())


def test_whoever_a_stall_made_late_is_answered_all_the_same(metrics: Metrics) -> None:
    async def test() -> None:
        clock = Clock()
        own = gate(metrics, clock)
        with ExitStack() as inside:
            for _ in range(10):
                inside.enter_context(own.admitted(call()))
            await own.turn(call())
            late = asyncio.create_task(own.turn(call()))
            await settle()
            clock.now = 5.0
            own.release()
            assert await late == clock.now

    run(test())


def test_before_an_answer_the_loop_looks_who_has_come(metrics: Metrics) -> None:
    order: list[str] = []

    async def test() -> None:
        own = gate(metrics, Clock())

        async def visitor(name: str, priority: Priority) -> None:
            async with own.alone(call(priority=priority)):
                order.append(name)

        async def latecomer() -> None:
            order.append("came")
            await visitor("important", Priority.high)

        # all three are ready in one round of the loop, and the last need not wait for the others
        await asyncio.gather(
            visitor("first", Priority.normal), visitor("second", Priority.normal), latecomer()
        )

    run(test())
    assert order == ["came", "important", "first", "second"]


def test_too_many_are_refused_at_the_door_and_the_important_last(metrics: Metrics) -> None:
    own = gate(metrics, Clock(), cheapest=0.01)
    inside = [own.admitted(call()) for _ in range(4)]
    for one in inside:
        one.__enter__()
    with pytest.raises(Refusal) as refused:
        own.check(call(priority=Priority.low))
    assert refused.value.status == 429
    own.check(call(priority=Priority.high))
    with own.admitted(call(priority=Priority.high)):
        assert own.others(Priority.high) == 1
        assert own.others(Priority.normal) == 5
    inside[0].__exit__(None, None, None)
    own.check(call())


def test_it_is_an_overload_while_many_are_refused_at_the_door(metrics: Metrics) -> None:
    clock = Clock()
    own = gate(metrics, clock)
    with overload(own):
        for _ in range(16):
            own.check(call(clock()))
        assert not own.overloaded(clock.now)  # they are let in again
    another = gate(metrics, clock)
    with overload(another):
        clock.now = 1.0
        assert not another.overloaded(clock.now)  # nobody has come since


def test_for_a_second_after_an_overload_connections_are_to_be_made_anew(metrics: Metrics) -> None:
    clock = Clock()
    own = gate(metrics, clock)
    assert not own.settling(clock.now)  # there was none
    with overload(own):
        assert not own.settling(clock.now)  # it is not over
        clock.now = 0.5
        assert own.settling(clock.now)
        clock.now = 1.5
        assert not own.settling(clock.now)


def test_what_is_read_in_an_overload_may_have_come_since_the_last_look(metrics: Metrics) -> None:
    async def test() -> None:
        clock = Clock()
        own = gate(metrics, clock)
        clock.now = 5.0
        await own.turn(call(5.0))
        assert own.unseen(5.04) == 0.0  # a stall of this worker, nobody was refused
        with overload(own):
            assert own.unseen(5.04) == pytest.approx(0.04)
            own.release()
            await settle()
            assert own.unseen(5.04) == 0.0  # it is idle, and sees at once who comes

    run(test())


def test_whoever_is_too_late_in_an_overload_is_refused_before_anything_is_done(metrics: Metrics) -> None:
    clock = Clock()
    own = gate(metrics, clock)
    clock.now = 5.05
    own.check(call(5.0))
    with overload(own):
        own.check(call(5.02))
        with pytest.raises(Refusal) as refused:
            own.check(call(5.0))
    assert refused.value.status == 429


def test_whoever_is_late_by_an_overload_that_has_just_passed_is_refused(metrics: Metrics) -> None:
    clock = Clock()
    own = gate(metrics, clock)
    with overload(own):
        pass
    clock.now = 0.5
    assert not own.overloaded(clock.now)
    with pytest.raises(Refusal):
        own.check(call(clock.now - 0.05))
    clock.now = 1.5
    own.check(call(clock.now - 0.05))


def test_before_an_answer_the_loop_takes_all_who_come_one_by_one(metrics: Metrics) -> None:
    came: list[int] = []

    async def test() -> None:
        own = gate(metrics, Clock())
        loop = asyncio.get_running_loop()

        async def visitor(number: int) -> None:
            own.check(call())
            with own.admitted(call()):
                if number < 10:
                    # as a loop that takes one connection at a look, and its request at the next but one
                    loop.call_soon(
                        loop.call_soon, lambda: waiting.append(loop.create_task(visitor(number + 1)))
                    )
                await own.turn(call())
                came.append(own.others(Priority.low))
                own.release()

        waiting = [loop.create_task(visitor(0))]
        while len(came) < 11:
            await asyncio.sleep(0)

    run(test())
    assert came[0] == 11


def test_a_visitor_who_leaves_gives_the_turn_on(metrics: Metrics) -> None:
    async def test() -> None:
        own = gate(metrics, Clock())
        await own.turn(call())
        leaves = asyncio.create_task(own.turn(call()))
        leaves_with_the_turn = asyncio.create_task(own.turn(call()))
        stays = asyncio.create_task(own.turn(call()))
        await settle()
        leaves.cancel()
        await settle()
        own.release()
        leaves_with_the_turn.cancel()
        await asyncio.wait_for(stays, timeout=5.0)
        assert leaves.cancelled()
        assert leaves_with_the_turn.cancelled()
        another = asyncio.create_task(own.turn(call()))
        await settle()
        assert not another.done()
        own.release()
        await asyncio.wait_for(another, timeout=5.0)

    run(test())
