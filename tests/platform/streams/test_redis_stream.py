"""What only the stream in Redis does: a limit, positions made of entry ids, exact counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from reco_assets.platform.redis import connect
from reco_assets.platform.streams.redis_stream import (
    RedisStream,
    entry_id_of,
    partition_key,
    partition_of,
    position_of,
)
from reco_assets.platform.streams.stream import StreamFull
from tests.platform.streams.servers import RedisServer, numbered, rest


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    """A client of the test's own."""
    with connect(redis_server.settings) as opened:
        yield opened


def opened(server: RedisServer, name: str, *, partitions: int = 1, most: int = 1_000_000) -> RedisStream:
    return RedisStream(connect(server.settings), name, partitions, most)


@given(st.integers(0, 2**43 - 1), st.integers(0, 2**20 - 1))
def test_a_position_is_an_entry_id_in_63_bits_in_the_same_order(ms: int, seq: int) -> None:
    position = position_of(b"%d-%d" % (ms, seq))
    assert entry_id_of(position) == f"{ms}-{seq}"
    assert 0 <= position < 2**63
    assert position < position_of(b"%d-0" % (ms + 1))


def test_the_partition_of_a_key_never_changes() -> None:
    assert [partition_of(key, 4) for key in ("u1", "u2", "u3", "u4", "")] == [2, 0, 2, 1, 0]


def test_a_full_partition_takes_nothing_of_a_batch(redis_server: RedisServer, name: str) -> None:
    with closing(opened(redis_server, name, partitions=2, most=20)) as stream:
        keys = {partition_of(f"u{n}", 2): f"u{n}" for n in range(20)}
        stream.append(numbered(keys[0], range(10)))
        with pytest.raises(StreamFull, match=rf"{name}: {name}:0 may hold 10 unread ones .*RECO_STREAM_MOST"):
            stream.append(numbered(keys[1], range(3)) + numbered(keys[0], [10]))
        assert (stream.waiting("0", None), stream.waiting("1", None)) == (10, 0)
        stream.forget("0", rest(stream, "0")[0].position)
        stream.append(numbered(keys[1], range(3)) + numbered(keys[0], [10]))
        assert (stream.waiting("0", None), stream.waiting("1", None)) == (10, 3)


def test_a_full_memory_takes_nothing_of_a_batch(
    redis_server: RedisServer, name: str, client: redis.Redis
) -> None:
    with closing(opened(redis_server, name)) as stream:
        stream.append(numbered("u1", [0]))
        client.config_set("maxmemory", 1)
        try:
            with pytest.raises(StreamFull, match="maxmemory"):
                stream.append(numbered("u1", [1, 2]))
        finally:
            client.config_set("maxmemory", 0)
        assert len(rest(stream, "0")) == 1


@pytest.mark.parametrize("place", [0, 150, 199, 200, 500, 850, 999])
def test_the_count_is_exact_wherever_the_reader_is(redis_server: RedisServer, name: str, place: int) -> None:
    with closing(opened(redis_server, name)) as stream:
        stream.append(numbered("u1", range(1000)))
        assert stream.waiting("0", rest(stream, "0")[place].position) == 999 - place


def test_forgotten_records_are_gone_from_memory(
    redis_server: RedisServer, name: str, client: redis.Redis
) -> None:
    with closing(opened(redis_server, name)) as stream:
        stream.append(numbered("u1", range(1000)))
        stream.forget("0", rest(stream, "0")[-1].position)
        assert client.xlen(partition_key(name, 0)) == 0


def test_scripts_that_redis_has_dropped_are_loaded_again(
    redis_server: RedisServer, name: str, client: redis.Redis
) -> None:
    with closing(opened(redis_server, name)) as stream:
        stream.append(numbered("u1", [0]))
        client.script_flush()
        stream.append(numbered("u1", [1]))
        assert len(rest(stream, "0")) == 2


def test_a_clock_set_back_does_not_run_out_of_positions(
    redis_server: RedisServer, name: str, client: redis.Redis
) -> None:
    ahead = 9_999_999_999_998  # milliseconds, so that every new entry gets the next sequence number
    client.xadd(partition_key(name, 0), {"e": b"before"}, id=f"{ahead}-999998")
    with closing(opened(redis_server, name)) as stream:
        stream.append(numbered("u1", range(4)))
        ids = [entry_id_of(record.position) for record in rest(stream, "0")]
        assert ids == [
            f"{ahead}-999998", f"{ahead}-999999", f"{ahead}-1000000", f"{ahead + 1}-1", f"{ahead + 1}-2",
        ]  # fmt: skip
        assert [record.value for record in rest(stream, "0")][1:] == [v for _, v in numbered("u1", range(4))]
