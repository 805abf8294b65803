"""Who is answered next, and who is not: answers are computed one at a time, by priority and by age.

The event loop has one thread, so answers that were computed as soon as their data is there would make
all others wait unseen, in the loop's own queue and in the sockets. Here the wait is seen: between two
answers the loop looks at its sockets, and whoever has come stands in a queue, with the time of arrival.
The queue is kept short by what is answered (:func:`reco_serving.ladder.affordable`), and by refusing
whoever could not be answered in time even at the cheapest rung. No number here fits one machine: all
follow from what this worker has just measured, and from the deadlines of those who wait.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from reco_serving.calls import Call, Priority
from reco_serving.guards import Guards
from reco_serving.http import Refusal
from reco_serving.ladder import OUTLIER

#: Share of a deadline in which all that wait are to be answered: what was estimated may take much longer.
HEADROOM: Final = 0.3
#: Share of a deadline that may pass where this worker sees nothing of it: while others have its core, and
#: while an answer is on its way.
UNSEEN: Final = 0.6
#: Share of a deadline that is kept for the way back when it is asked which rung is still in time.
WAY_BACK: Final = 0.2
#: Share of its deadline for which a call lets later ones pass, for each step of priority that they are above
#: it: those that come all the time would keep an unimportant one waiting for ever.
PATIENCE: Final = 0.2
_GAIN: Final = 1 / 16
#: It is an overload where more than this share of those who came last were refused at the door, the last of
#: them no longer ago than so many seconds: a few are refused after every stall.
_REFUSED: Final = 1 / 8
_OVERLOAD_SECONDS: Final = 0.25
#: For so long after an overload connections are closed by the answers that go over them, and whoever is late
#: is late by it: near the limit above an overload comes and goes several times a second.
_SETTLING_SECONDS: Final = 1.0
#: The loop takes one new connection at a look, and its request at the third: between two answers it looks
#: until so many looks have brought nobody, and so often at the most.
_QUIET: Final = 3
_LOOKS: Final = 48
#: Where an estimate of the pace begins, seconds.
_LEAST_PACE: Final = 0.0005


@dataclass(slots=True)
class _Waiting:
    call: Call
    turn: asyncio.Future[bool]


@dataclass
class Gate:
    """The queue of one worker.

    Attributes
    ----------
    pace
        Seconds between the end of an answer and the beginning of the next while others wait: what
        arrives meanwhile is read, and what was answered is sent.
    cheapest
        Seconds that the cheapest rung takes, at a moment.
    """

    guards: Guards
    cheapest: Callable[[float], float]
    clock: Callable[[], float] = time.perf_counter
    pace: float = 0.0
    _busy: bool = field(default=False, repr=False)
    _released: float = field(default=0.0, repr=False)
    _refused_at: float = field(default=float("-inf"), repr=False)
    _overloaded_at: float = field(default=float("-inf"), repr=False)
    _refused: float = field(default=0.0, repr=False)
    _looked: float = field(default=0.0, repr=False)
    _came: int = field(default=0, repr=False)
    _inside: list[int] = field(default_factory=lambda: [0] * len(Priority), repr=False)
    _queues: tuple[deque[_Waiting], ...] = field(
        default_factory=lambda: tuple(deque[_Waiting]() for _ in Priority), repr=False
    )

    @contextmanager
    def admitted(self, call: Call) -> Iterator[None]:
        """Let ``call``, which was checked, in for as long as the block lasts."""
        self._inside[call.priority] += 1
        try:
            yield
        finally:
            self._inside[call.priority] -= 1

    def check(self, call: Call) -> None:
        """Refuse ``call`` at the door, before anything is done for it.

        Raises
        ------
        Refusal
            429: those who are inside already take too long for it, or it is too late already.
        """
        self._came += 1
        now = self.clock()
        wait = self.others(call.priority) * (self.cheapest(now) + self.pace)
        refused = wait > HEADROOM * call.allowed
        self._refused += _GAIN * (refused - self._refused)
        if refused:
            self._refused_at = now
        if refused or self._hopeless(call, now):
            raise self._shed(call, wait)

    def overloaded(self, now: float) -> bool:
        """Whether more is asked than can be answered, so that nobody is answered better than cheaply."""
        overloaded = self._refused > _REFUSED and now - self._refused_at < _OVERLOAD_SECONDS
        if overloaded:
            self._overloaded_at = now
        return overloaded

    def settling(self, now: float) -> bool:
        """Whether an overload has just passed: connections are to be made anew then.

        Whichever worker looked most got most of those that the crowd came by, and would have most of the
        requests for as long as they are kept; new ones go to whoever is idle.
        """
        return not self.overloaded(now) and self._pressed(now)

    def _pressed(self, now: float) -> bool:
        """Whether there is an overload, or has just been one."""
        return self.overloaded(now) or now - self._overloaded_at < _SETTLING_SECONDS

    def unseen(self, now: float) -> float:
        """Seconds for which what is read at ``now`` may have lain in its socket.

        In an overload, and while it passes, a busy loop never sleeps, and what it reads has come since it
        looked the time before.
        """
        return max(0.0, now - self._looked) if self._busy and self._pressed(now) else 0.0

    @asynccontextmanager
    async def alone(self, call: Call) -> AsyncIterator[float]:
        """Let ``call`` in, and do what the block does in its turn, since a moment; raises as :meth:`turn`."""
        with self.admitted(call):
            turn_at = await self.turn(call)
            try:
                yield turn_at
            finally:
                self.release()

    def others(self, priority: Priority) -> int:
        """How many are inside that are at least as important."""
        return sum(self._inside[: priority + 1])

    async def turn(self, call: Call) -> float:
        """Wait until ``call`` may be computed, and since when it is; :meth:`release` must follow.

        Raises
        ------
        Refusal
            429: it is too late for an answer, in an overload. After a stall of this worker it is answered all
            the same: a cheap answer costs no more than a refusal.
        """
        waiting = _Waiting(call, asyncio.get_running_loop().create_future())
        self._queues[call.priority].append(waiting)
        waited = self._busy
        if not waited:
            # whoever begins after a rest may be the first of many
            self._busy, self._looked = True, self.clock()
            self._begin_to_look()
        try:
            granted = await waiting.turn
        except asyncio.CancelledError:
            self._gone(waiting)
            raise
        if not granted:
            raise self._shed(call, self.pace)
        now = self.clock()
        if waited:
            passed = min(now - self._released, OUTLIER * max(self.pace, _LEAST_PACE))
            self.pace += _GAIN * (passed - self.pace)
        self.guards.queue.observe(now - call.started)
        return now

    def release(self) -> None:
        """The answer is made, and the next may be, when the loop has looked who has come meanwhile."""
        self._released = self.clock()
        self._begin_to_look()

    def _begin_to_look(self) -> None:
        asyncio.get_running_loop().call_soon(self._look, self._came, 0, _LOOKS)

    def _look(self, came: int, quiet: int, left: int) -> None:
        """The loop has looked at its sockets: have it look again as long as somebody comes, then go on."""
        quiet = 0 if self._came > came else quiet + 1
        if quiet < _QUIET and left and any(self._queues):
            asyncio.get_running_loop().call_soon(self._look, self._came, quiet, left - 1)
        else:
            self._next()

    def _next(self) -> None:
        now = self._looked = self.clock()
        for queue in self._queues:
            # whoever has left is passed over, whoever is too late in an overload hears so now
            while queue and (queue[0].turn.done() or self._hopeless(queue[0].call, now)):
                _tell(queue.popleft(), granted=False)
        while waiting := [queue for queue in self._queues if queue]:
            first = min(waiting, key=lambda queue: _ahead(queue[0].call))
            if _tell(first.popleft(), granted=True):
                return
        self._busy = False

    def _hopeless(self, call: Call, now: float) -> bool:
        """Whether ``call`` is too late, by an overload and not by a stall of this worker."""
        return self._pressed(now) and call.deadline - UNSEEN * call.allowed - now < self.cheapest(now)

    def _gone(self, waiting: _Waiting) -> None:
        """Somebody who waited has left; a turn that was theirs goes on."""
        if not waiting.turn.cancelled() and waiting.turn.result():
            self.release()

    def _shed(self, call: Call, wait: float) -> Refusal:
        self.guards.shed.labels(call.priority.name).inc()
        return Refusal(
            429,
            "service",
            "more is asked than can be answered in time: ask again later",
            (b"retry-after", b"%d" % max(1, ceil(wait))),
        )


def _ahead(call: Call) -> float:
    """By what calls are ordered: the moment since which nobody passes ``call`` any more."""
    return call.started + PATIENCE * call.priority * call.allowed


def _tell(waiting: _Waiting, granted: bool) -> bool:
    """Whether whoever waits is still there to hear it."""
    if waiting.turn.done():
        return False
    waiting.turn.set_result(granted)
    return True
