"""A stream in Redis: one Redis Stream a partition, one entry a record, trimmed when it has been read.

Keys of the stream ``events``: ``events:0``, ``events:1``, ... and ``events:partitions``, their number as it
was when the stream was made; it never changes after that, or records of one key would lie in two partitions.

An entry has one field, ``e``, the record's value. A position is its entry's id ``ms-seq`` as
``ms << 20 | seq``: below 2**63 until the year 2248. ``seq`` grows while the clock stands still or has been
set back, and would reach 2**20 after a million entries; :data:`ADD` moves on to the next millisecond before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, cast
from zlib import crc32

import redis

from reco_assets.platform.streams.stream import Record, Stream, StreamFull, StreamUnavailable

FIELD: Final = b"e"

#: Lua: ``add(key, value)`` appends an entry whose id fits into a position; for scripts that append.
ADD: Final = """
local function add(key, value)
  local id = redis.call('XADD', key, '*', 'e', value)
  if #id > 20 then -- 13 digits of milliseconds, a dash, 7 digits: a million entries in this millisecond
    redis.call('XSETID', key, string.format('%.0f-0', tonumber(string.match(id, '^%d+')) + 1))
  end
end
"""

#: KEYS: streams. ARGV: the most entries a stream may hold, then for each stream a count and the values.
#: Returns the number of the first stream that has no room for its values, 0 where all were appended.
_APPEND: Final = f"""{ADD}
local most, at = tonumber(ARGV[1]), 2
for i, key in ipairs(KEYS) do
  local count = tonumber(ARGV[at])
  if redis.call('XLEN', key) + count > most then return i end
  at = at + count + 1
end
at = 2
for _, key in ipairs(KEYS) do
  local count = tonumber(ARGV[at])
  for j = at + 1, at + count do add(key, ARGV[j]) end
  at = at + count + 1
end
return 0
"""

#: A step along both ends of a stream. ARGV: where to go on at the start, up to where, where to go on behind
#: that, the most entries. Returns entries and last id of either, and the stream's length.
_COUNT: Final = """
local function step(from, to)
  local page = redis.call('XRANGE', KEYS[1], from, to, 'COUNT', ARGV[4])
  return #page, #page > 0 and page[#page][1] or ''
end
local head, head_id = step(ARGV[1], ARGV[2])
local tail, tail_id = step(ARGV[3], '+')
return {head, head_id, tail, tail_id, redis.call('XLEN', KEYS[1])}
"""

# A page keeps Redis busy for about a millisecond: the service's own reads wait behind it.
_PAGE: Final = 1_000
_COUNT_PAGE: Final = 200


def partition_key(name: str, partition: int | str) -> str:
    """Redis key of a partition."""
    return f"{name}:{partition}"


def partition_of(key: str, partitions: int) -> int:
    """Partition of the records of ``key``: the same in every process, for ever."""
    return crc32(key.encode("utf-8", "surrogatepass")) % partitions


def position_of(entry_id: bytes) -> int:
    """Position of the entry ``ms-seq``."""
    ms, _, seq = entry_id.partition(b"-")
    return int(ms) << 20 | int(seq)


def entry_id_of(position: int) -> str:
    """Id of the entry at ``position``."""
    return f"{position >> 20}-{position & 0xFFFFF}"


class RedisStream(Stream):
    """The stream ``name`` in the Redis of ``client``; durable as far as that Redis' ``appendfsync`` goes.

    Parameters
    ----------
    client
        A client of its own, which returns bytes; closed with the stream.
    partitions
        Partitions of a stream that is not there yet; one that is keeps its number.
    most
        Records that all partitions may hold together before :class:`StreamFull`; each has an equal share.
    """

    def __init__(self, client: redis.Redis, name: str, partitions: int, most: int) -> None:
        self.name = name
        self._client = client
        # redis-py makes a dict of every entry, which is half of the time of a read
        self._plain = redis.Redis(connection_pool=client.connection_pool)
        self._plain.set_response_callback("XRANGE", _as_it_is)
        self._append = client.register_script(_APPEND)
        self._count_step = client.register_script(_COUNT)
        self._wanted, self._most = partitions, most
        self._number: int | None = None

    def count(self) -> int:
        """Number of the partitions; makes the stream where there is none. Raises StreamUnavailable."""
        if self._number is None:
            with self._asking("opening"):
                key = partition_key(self.name, "partitions")
                self._client.set(key, self._wanted, nx=True)
                self._number = int(cast(bytes, self._client.get(key)))
        return self._number

    def room(self) -> int:
        """Records that a partition may hold. Raises StreamUnavailable."""
        return max(1, self._most // self.count())

    def partitions(self) -> Sequence[str]:
        """``0``, ``1``, ..., sorted as texts."""
        return sorted(str(partition) for partition in range(self.count()))

    def append(self, records: Sequence[tuple[str, bytes]]) -> None:
        """One round trip; all or none of ``records`` are taken."""
        if not records:
            return
        number, room = self.count(), self.room()
        parts: dict[int, list[bytes]] = defaultdict(list)
        for key, value in records:
            parts[partition_of(key, number)].append(value)
        keys = [partition_key(self.name, partition) for partition in parts]
        arguments: list[int | bytes] = [room]
        for values in parts.values():
            arguments += [len(values), *values]
        with self._asking(f"appending {len(records)} records to"):
            full = int(cast(int, self._append(keys, arguments)))
        if full:
            raise StreamFull(
                f"appending {len(records)} records to the stream {self.name}: {keys[full - 1]} may hold"
                f" {room} unread ones",
                hint="let the micro-batches run, they are behind; or raise RECO_STREAM_MOST",
            )

    def read(self, partition: str, after: int | None, most: int) -> list[Record]:
        """Up to ``most`` records, fetched in pages so that others are answered in between."""
        key = partition_key(self.name, partition)
        start = "-" if after is None else f"({entry_id_of(after)}"
        records: list[Record] = []
        while len(records) < most:
            page = min(_PAGE, most - len(records))
            with self._asking("reading"):
                entries = cast(list[Any], self._plain.xrange(key, start, "+", count=page))
            for entry_id, (_, value) in entries:
                ms, _, seq = entry_id.partition(b"-")
                taken = int(ms)
                records.append(Record(taken << 20 | int(seq), taken * 1000, value))
            if len(entries) < page:
                break
            start = f"({entries[-1][0].decode()}"
        return records

    def waiting(self, partition: str, after: int | None) -> int:
        """How many records come after ``after``; exact while nobody forgets records meanwhile.

        Redis knows a stream's length, not the place of an entry. The count goes from both ends of the
        stream and stops at the nearer one: it is cheap where what was read is forgotten soon after, and
        where little is left to read.
        """
        key = partition_key(self.name, partition)
        with self._asking("counting"):
            if after is None:
                return self._client.xlen(key)
            here = entry_id_of(after)
            start, behind, read, unread = "-", f"({here}", 0, 0
            while True:
                head, head_id, tail, tail_id, length = cast(
                    tuple[int, bytes, int, bytes, int],
                    self._count_step([key], [start, here, behind, _COUNT_PAGE]),
                )
                read, unread = read + head, unread + tail
                if tail < _COUNT_PAGE:
                    return unread
                if head < _COUNT_PAGE:
                    return length - read
                start, behind = f"({head_id.decode()}", f"({tail_id.decode()}"

    def forget(self, partition: str, upto: int) -> None:
        """Delete the records up to and including ``upto``."""
        with self._asking("trimming"):
            self._client.xtrim(
                partition_key(self.name, partition), minid=entry_id_of(upto + 1), approximate=False
            )

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    @contextmanager
    def _asking(self, doing: str) -> Iterator[None]:
        try:
            yield
        except redis.RedisError as error:
            at = self._client.get_connection_kwargs()
            told = f"{doing} the stream {self.name} in Redis at {at.get('host')}:{at.get('port')}: {error}"
            if "maxmemory" in str(error):  # Redis refuses a script's first write, so none was made
                raise StreamFull(told, hint="let the micro-batches run, or raise Redis' maxmemory") from error
            raise StreamUnavailable(told, hint="is it running? `reco up` starts the embedded one") from error


def _as_it_is(reply: object, **_: object) -> object:
    return reply
