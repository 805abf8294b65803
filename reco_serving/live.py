"""Hearing of the events of open sessions: Redis tells every worker which session something happened in."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast

import redis.asyncio

from reco_assets.online import keys
from reco_serving.http import RETRY_AFTER, Refusal
from reco_serving.metrics import Metrics

#: Pause before Redis is asked again after it was lost.
PAUSE_SECONDS: Final = 1.0
#: What a new stream waits for Redis to say that it will be told.
HEARD_SECONDS: Final = 0.25
#: Keeps the connection subscribed while nobody follows anything.
_NOBODY: Final = keys.session("")

log = logging.getLogger("reco.stream")


@dataclass(eq=False)
class Following:
    """One stream that follows a session; ``news`` is set when something has happened in it.

    ``since`` is when the first of what has happened did, seconds since 1970; None where nobody has said.
    """

    news: asyncio.Event = field(default_factory=asyncio.Event)
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    since: float | None = None

    def hear(self, at: float | None) -> None:
        """Something has happened, ``at`` a moment where that is known."""
        if at is not None and (self.since is None or at < self.since):
            self.since = at
        self.news.set()

    def take(self) -> float | None:
        """When what the next list is for began to happen; whatever happens from now on is for another one."""
        self.news.clear()
        since, self.since = self.since, None
        return since


@dataclass
class Live:
    """The streams that a worker has open, and the one connection over which it hears of their sessions.

    Attributes
    ----------
    most
        Streams that may be open at once.
    ended
        Set when the worker is about to end: streams are to be closed, their clients ask another one.
    """

    client: redis.asyncio.Redis
    most: int
    metrics: Metrics
    ended: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    _sessions: dict[bytes, set[Following]] = field(default_factory=lambda: defaultdict(set), repr=False)
    _count: int = field(default=0, repr=False)
    _told: Any = field(default=None, repr=False)
    _task: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def open(self) -> int:
        """How many streams are open."""
        return self._count

    def start(self) -> None:
        """Begin to listen."""
        self._task = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        """End, and give the connection back."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.client.aclose()

    def finish(self) -> None:
        """Have all streams closed."""
        self.ended.set()
        for channel in list(self._sessions):
            self._news(channel)

    @asynccontextmanager
    async def follow(self, session_id: str) -> AsyncIterator[Following]:
        """Hear of the events of a session for as long as the block lasts.

        All that is collected after the block has begun is heard of, as far as Redis can be reached.

        Raises
        ------
        Refusal
            429: too many streams are open.
        """
        if self._count >= self.most:
            raise Refusal(429, "session_id", f"{self.most} streams are open here: try again", RETRY_AFTER)
        channel, following = keys.session(session_id).encode(), Following()
        others = self._sessions[channel]
        others.add(following)
        self._counted(1)
        try:
            # asked even where another stream follows the session: the reply says that it is heard by now
            await self._say("subscribe", channel)
            try:
                async with asyncio.timeout(HEARD_SECONDS):
                    await following.heard.wait()
            except TimeoutError:
                log.debug("Redis does not say that it will tell of %s; it is asked again later", channel)
            yield following
        finally:
            self._counted(-1)
            others.discard(following)
            if not others and self._sessions.get(channel) is others:
                del self._sessions[channel]
                await self._say("unsubscribe", channel)

    def _counted(self, more: int) -> None:
        self._count += more
        self.metrics.streams.open.set(self._count)

    async def _say(self, command: str, channel: bytes) -> None:
        if self._told is None:
            return  # it is said for all when the connection is there
        try:
            await getattr(self._told, command)(channel)
        except (redis.RedisError, OSError) as error:
            # the listener sees the same, and says it again on a new connection
            log.debug("%s %s: %s", command, channel, error)

    async def _listen(self) -> None:
        while True:
            try:
                async with self.client.pubsub() as told:
                    await told.subscribe(_NOBODY, *self._sessions)
                    self._told = told
                    # what happened while nobody listened
                    for channel in list(self._sessions):
                        self._news(channel)
                    async for message in told.listen():
                        self._hear(cast("dict[str, Any]", message))
            except (redis.RedisError, OSError) as error:
                log.debug("events of sessions are not heard of: %s", error)
            finally:
                self._told = None
            await asyncio.sleep(PAUSE_SECONDS)

    def _hear(self, message: dict[str, Any]) -> None:
        if message["type"] == "message":
            self._news(message["channel"], _moment(message["data"]))
        elif message["type"] == "subscribe":
            for following in self._sessions.get(message["channel"], ()):
                following.heard.set()

    def _news(self, channel: bytes, at: float | None = None) -> None:
        for following in self._sessions.get(channel, ()):
            following.hear(at)


def _moment(told: bytes) -> float | None:
    """The moment that a message holds, UTC microseconds, in seconds; None where it holds nothing."""
    return int(told) / 1e6 if told else None
