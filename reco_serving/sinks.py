"""Where collected events go: into the stream, and into the values that the next answer is made from."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol, cast

import redis
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from reco_assets.online import keys
from reco_assets.online.codec import EVENT_BYTES, PENDING_BYTES, PENDING_MOST, SESSION_HEADER
from reco_assets.platform.redis import redis_url
from reco_assets.platform.settings import Settings
from reco_assets.platform.streams.open import open_stream
from reco_assets.platform.streams.redis_stream import ADD, RedisStream, partition_key, partition_of
from reco_assets.platform.streams.stream import Stream, StreamFull
from reco_assets.recommender.types import RECENT
from reco_serving.arrivals import Arrival
from reco_serving.metrics import Metrics

#: A session's value outlives its visit by far, and a table by nothing.
SESSION_SECONDS: Final = 86_400
#: What waits for Redis beside another stream waits no longer than this.
_BESIDE_SECONDS: Final = 0.25

#: KEYS: S streams, then values. ARGV: S, the most entries of a stream, the moment, for each stream a count
#: and its records; then for each value its lifetime in seconds, its header, the size of an entry, how many it
#: keeps, and entries.
#: Returns the number of a stream that has no room, in which case nothing was written; else 0.
#: Whoever follows a value with a header, a session's, is told that it has changed, and the moment.
#: An entry that is there already is not appended again: a client that hears nothing sends twice.
_COLLECT: Final = f"""{ADD}
local streams, room, moment, at = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], 4
for i = 1, streams do
  local count = tonumber(ARGV[at])
  if redis.call('XLEN', KEYS[i]) + count > room then return i end
  at = at + count + 1
end
at = 4
for i = 1, streams do
  local count = tonumber(ARGV[at])
  for j = at + 1, at + count do add(KEYS[i], ARGV[j]) end
  at = at + count + 1
end
for i = streams + 1, #KEYS do
  local head, size, fresh = ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 4]
  local value = redis.call('GET', KEYS[i])
  if not value or string.sub(value, 1, #head) ~= head or (#value - #head) % size ~= 0 then value = head end
  for first = 1, #fresh, size do
    local entry = string.sub(fresh, first, first + size - 1)
    if not string.find(value, entry, #head + 1, true) then value = value .. entry end
  end
  local most = size * tonumber(ARGV[at + 3])
  if #value > #head + most then value = head .. string.sub(value, -most) end
  redis.call('SET', KEYS[i], value, 'EX', ARGV[at])
  if #head > 0 then redis.call('PUBLISH', KEYS[i], moment) end
  at = at + 5
end
return 0
"""

log = logging.getLogger("reco.events")


class Sink(Protocol):
    """Takes events; on return they are durable in the stream."""

    async def append(self, arrived: Sequence[Arrival]) -> None:
        """Raises MissingDependency, redis.RedisError or OSError where the stream does not take them."""

    async def close(self) -> None:
        """Give the connections back."""


def open_sink(settings: Settings, metrics: Metrics) -> Sink:
    """The sink of the stream that ``settings`` name; nothing is connected yet."""
    stream = open_stream(settings)
    # a client of its own: what is written must not make what is read wait for a connection
    client: redis.asyncio.Redis = redis.asyncio.Redis.from_url(
        redis_url(settings), socket_connect_timeout=1.0, retry=Retry(NoBackoff(), 0)
    )
    values = Values(client, settings.user_ttl_days * 86_400)
    if isinstance(stream, RedisStream):
        return RedisSink(stream, values)
    return StreamSink(stream, values, metrics)


class Values:
    """The users' pending values and the sessions' values, written with or without stream records."""

    def __init__(
        self, client: redis.asyncio.Redis, user_seconds: int, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._client = client
        self._user_seconds = user_seconds
        self._clock = clock
        self._collect = client.register_script(_COLLECT)

    async def write(
        self, arrived: Sequence[Arrival], room: int = 0, records: dict[str, list[bytes]] | None = None
    ) -> int:
        """One round trip; the number of the first of the streams ``records`` that is full, else 0."""
        users: dict[str, list[bytes]] = defaultdict(list)
        sessions: dict[str, list[bytes]] = defaultdict(list)
        for one in arrived:
            if one.pending:
                users[one.key].append(one.pending)
                if one.session is not None:
                    sessions[one.session].append(one.pending[:EVENT_BYTES])
        names = list(records or ())
        told: list[int | bytes] = [len(names), room, self._clock() // 1000]
        for values in (records or {}).values():
            told += [len(values), *values]
        for user_id, entries in users.items():
            names.append(keys.pending(user_id))
            told += [self._user_seconds, b"", PENDING_BYTES, PENDING_MOST, b"".join(entries)]
        for session_id, entries in sessions.items():
            names.append(keys.session(session_id))
            told += [SESSION_SECONDS, SESSION_HEADER, EVENT_BYTES, RECENT, b"".join(entries)]
        if not names:
            return 0
        return int(cast("int", await self._collect(names, told)))

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.aclose()


class RedisSink:
    """A Redis stream and the values beside it, in one round trip: all of it is written, or nothing."""

    def __init__(self, stream: RedisStream, values: Values) -> None:
        self._stream = stream
        self._values = values
        self._shape: tuple[int, int] | None = None

    async def append(self, arrived: Sequence[Arrival]) -> None:
        """Append, then remember; raises StreamFull with nothing taken."""
        if self._shape is None:
            self._shape = await asyncio.to_thread(lambda: (self._stream.count(), self._stream.room()))
        number, room = self._shape
        records: dict[str, list[bytes]] = defaultdict(list)
        for one in arrived:
            records[partition_key(self._stream.name, partition_of(one.key, number))].append(one.value)
        full = await self._values.write(arrived, room, records)
        if full:
            raise StreamFull(
                f"appending {len(arrived)} events to the stream {self._stream.name}: "
                f"{list(records)[full - 1]} may hold {room} unread ones",
                hint="let the micro-batches run, they are behind; or raise RECO_STREAM_MOST",
            )

    async def close(self) -> None:
        """Give the connections back."""
        await asyncio.to_thread(self._stream.close)
        await self._values.close()


class StreamSink:
    """Any other stream, in a thread of its own; a Redis that is away costs freshness and nothing else."""

    def __init__(self, stream: Stream, values: Values, metrics: Metrics) -> None:
        self._stream = stream
        self._values = values
        self._metrics = metrics
        self._thread = ThreadPoolExecutor(1, "stream")

    async def append(self, arrived: Sequence[Arrival]) -> None:
        """Append, then remember as far as Redis takes it."""
        records = [(one.key, one.value) for one in arrived]
        await asyncio.get_running_loop().run_in_executor(self._thread, self._stream.append, records)
        try:
            async with asyncio.timeout(_BESIDE_SECONDS):
                await self._values.write(arrived)
        except (redis.RedisError, OSError, TimeoutError) as error:
            # the micro-batch brings them into the users' values all the same, seconds later
            self._metrics.events.labels("not_live").inc(sum(bool(one.pending) for one in arrived))
            log.warning("live recent events: %s", error or "Redis does not answer in time")

    async def close(self) -> None:
        """Give the connections back, when what is under way has ended."""
        await asyncio.to_thread(self._thread.shutdown)
        await asyncio.to_thread(self._stream.close)
        await self._values.close()
