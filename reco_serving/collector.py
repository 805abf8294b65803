"""Collected events on their way into the stream: in order, together, through the spool when it is down."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import msgspec
import redis

from reco_assets.errors import MissingDependency
from reco_serving.arrivals import Arrival
from reco_serving.metrics import Metrics
from reco_serving.sinks import Sink
from reco_serving.spool import Spool

#: A stream that takes longer than this is treated as down: somebody waits for the answer.
DEADLINE_SECONDS: Final = 1.0
#: Nobody waits for what comes out of the spool.
DRAIN_SECONDS: Final = 30.0
#: Pause between two attempts to drain.
MEND_SECONDS: Final = 0.5
#: Events that go to the stream together, unless one request alone has more.
TOGETHER: Final = 500

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Arrival).decode
_TROUBLES: Final = (MissingDependency, redis.RedisError, OSError, TimeoutError)

log = logging.getLogger("reco.events")
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Refused(MissingDependency):
    """Neither the stream nor the spool takes events: none of them is kept."""


@dataclass
class _Waiting:
    """The events of one request, and the answer that waits for them."""

    arrived: Sequence[Arrival]
    done: asyncio.Future[None]


@dataclass
class Collector:
    """Brings the events of this worker into the stream in the order in which they came.

    Requests that arrive while a group is under way form the next one, so that the time that the
    stream takes to be durable is shared. While anything is in the spool, all that comes goes behind it.

    Attributes
    ----------
    trouble
        Why the stream is left alone at the moment; None where it takes events.
    """

    sink: Sink
    root: Path
    most_bytes: int
    metrics: Metrics
    trouble: str | None = None
    _queue: deque[_Waiting] = field(default_factory=deque, repr=False)
    _come: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _spooled: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _order: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    _spools: list[Spool] = field(default_factory=list, repr=False)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list, repr=False)

    async def start(self) -> None:
        """Begin; what dead workers left in their spools is drained first."""
        name = f"{time.time_ns()}-{os.getpid()}"
        found = await asyncio.to_thread(Spool.leftovers, self.root)
        own = await asyncio.to_thread(Spool.create, self.root, name, self.most_bytes)
        self._spools = [*found, own]
        if found:
            log.info("draining events that %d ended workers left in %s", len(found), self.root)
            self._spooled.set()
        self._tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._drain())]

    async def put(self, arrived: Sequence[Arrival]) -> None:
        """Keep ``arrived``; on return they are durable, in the stream or in the spool.

        Raises
        ------
        Refused
            They are nowhere. Some of them may be in the stream all the same.
        """
        waiting = _Waiting(arrived, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._come.set()
        await waiting.done

    @property
    def waiting_bytes(self) -> int:
        """Size of the events that wait on disk."""
        return sum(spool.size for spool in self._spools)

    async def stop(self) -> None:
        """End; what is in the spool stays there for the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.metrics.spool_bytes.set(self.waiting_bytes)
        await self.sink.close()
        for spool in self._spools:
            await asyncio.to_thread(spool.close)

    async def _write(self) -> None:
        while True:
            await self._come.wait()
            self._come.clear()
            while self._queue:
                group = [self._queue.popleft()]
                size = len(group[0].arrived)
                while self._queue and size + len(self._queue[0].arrived) <= TOGETHER:
                    group.append(self._queue.popleft())
                    size += len(group[-1].arrived)
                error: Exception | None = None
                try:
                    await self._keep([one for waiting in group for one in waiting.arrived])
                except Exception as raised:
                    # whoever waits must hear of it, and the next group has its own fate
                    error = raised
                for waiting in group:
                    if waiting.done.done():
                        continue
                    if error is None:
                        waiting.done.set_result(None)
                    else:
                        waiting.done.set_exception(error)

    async def _keep(self, arrived: list[Arrival]) -> None:
        own = self._spools[-1]
        async with self._order:
            if not own.size:
                try:
                    async with asyncio.timeout(DEADLINE_SECONDS):
                        await self.sink.append(arrived)
                except _TROUBLES as error:
                    self._blow(error)
                else:
                    self.trouble = None if len(self._spools) == 1 else self.trouble
                    return
            try:
                await _whole(own.append, [_encode(one) for one in arrived])
            except (MissingDependency, OSError) as error:
                self.metrics.events.labels("refused").inc(len(arrived))
                raise Refused(
                    f"keeping {len(arrived)} events: the stream is down ({self.trouble}), and {error}",
                    hint="send them again later",
                ) from error
        self.metrics.events.labels("spooled").inc(len(arrived))
        self.metrics.spool_bytes.set(self.waiting_bytes)
        self._spooled.set()

    async def _drain(self) -> None:
        while True:
            await self._spooled.wait()
            self._spooled.clear()
            try:
                while not await self._drained(self._spools[0]):
                    await asyncio.sleep(MEND_SECONDS)
            except Exception as error:
                # the task must outlive any defect: what is spooled stays, and /health tells
                log.exception("draining %s", self._spools[0].folder)
                self.trouble = f"{type(error).__name__}: {error}"
                await asyncio.sleep(MEND_SECONDS)
                self._spooled.set()
                continue
            self.metrics.spool_bytes.set(self.waiting_bytes)
            if len(self._spools) > 1:
                await asyncio.to_thread(self._spools.pop(0).close)
                self._spooled.set()

    async def _drained(self, spool: Spool) -> bool:
        """Bring all of a spool into the stream; false where the stream does not take it."""
        while True:
            async with self._order:
                records = await _whole(spool.peek, TOGETHER)
            if not records:
                return True
            try:
                async with asyncio.timeout(DRAIN_SECONDS):
                    await self.sink.append([_decode(record) for record in records])
            except _TROUBLES as error:
                self._blow(error)
                return False
            self.trouble = None
            async with self._order:
                await _whole(spool.advance)
            self.metrics.spool_bytes.set(self.waiting_bytes)

    def _blow(self, error: BaseException) -> None:
        told = str(error) or "it does not answer in time"
        if self.trouble is None:
            log.warning("the stream does not take events, they are spooled: %s", told)
        self.trouble = told
        self.metrics.stream_troubles.inc()


async def _whole(work: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> _T:
    """What ``work`` returns from a thread, which nothing cuts short: it ends before a cancellation does."""
    running = asyncio.ensure_future(asyncio.to_thread(work, *arguments, **named))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
