"""What every stream owes, over a real Redis, a real Kafka broker and moto's Kinesis."""

from __future__ import annotations

import threading
from contextlib import closing
from itertools import pairwise

import pytest

from reco_assets.platform.streams.stream import Record, Stream, StreamUnavailable
from tests.online.conftest import free_port
from tests.platform.streams.servers import Restartable, Server, numbered, rest, values


def records_of(stream: Stream, key: str) -> tuple[str, list[Record]]:
    """Partition and records of ``key`` in a stream that holds no other."""
    found = {partition: rest(stream, partition) for partition in stream.partitions()}
    [(partition, records)] = [(where, kept) for where, kept in found.items() if kept]
    return partition, records


def test_a_new_stream_has_the_partitions_asked_for_and_nothing_in_them(stream: Stream) -> None:
    partitions = stream.partitions()
    assert len(set(partitions)) == 2
    assert list(partitions) == sorted(partitions)
    assert values(stream) == {partition: [] for partition in partitions}
    assert [stream.waiting(partition, None) for partition in partitions] == [0, 0]


def test_a_stream_that_is_there_keeps_its_partitions(server: Server, stream: Stream, name: str) -> None:
    before = stream.partitions()
    with closing(server.open(name, partitions=5)) as later:
        later.append(numbered("u1", range(3)))
        assert later.partitions() == before
    assert len(records_of(stream, "u1")[1]) == 3


def test_records_of_a_key_are_in_one_partition_in_order(stream: Stream) -> None:
    keys = [f"u{number}" for number in range(20)]
    for first in range(0, 90, 30):
        stream.append(
            [record for n in range(first, first + 30) for key in keys for record in numbered(key, [n])]
        )
    found = values(stream)
    assert all(found.values()), "twenty keys are spread over both partitions"
    for key in keys:
        homes = [
            kept for kept in found.values() if any(value.startswith(f"{key} ".encode()) for value in kept)
        ]
        assert len(homes) == 1
        of_key = [value for value in homes[0] if value.startswith(f"{key} ".encode())]
        assert of_key == [value for _, value in numbered(key, range(90))]


def test_positions_grow_and_the_time_does_not_fall(stream: Stream) -> None:
    stream.append(numbered("u1", range(700)))
    stream.append(numbered("u1", range(700, 1400)))
    _, records = records_of(stream, "u1")
    assert len(records) == 1400
    assert all(a.position < b.position and a.at_us <= b.at_us for a, b in pairwise(records))
    assert all(record.position >= 0 for record in records)
    assert records[0].at_us > 1_600_000_000_000_000  # microseconds


def test_a_reader_gets_what_comes_after_a_position(stream: Stream) -> None:
    stream.append(numbered("u1", range(10)))
    partition, records = records_of(stream, "u1")
    for place, record in enumerate(records):
        assert stream.read(partition, record.position, 100) == records[place + 1 :]
        assert stream.read(partition, record.position, 2) == records[place + 1 : place + 3]
    assert stream.read(partition, None, 4) == records[:4]
    assert stream.read(partition, None, 100) == records
    assert stream.read(partition, None, 0) == []


def test_at_the_end_there_is_nothing_until_more_is_appended(stream: Stream) -> None:
    stream.append(numbered("u1", [0]))
    partition, [first] = records_of(stream, "u1")
    for number in range(1, 4):
        assert stream.read(partition, first.position, 10) == []
        stream.append(numbered("u1", [number]))
        [second] = stream.read(partition, first.position, 10)
        assert second.value == f"u1 {number}".encode()
        first = second


def test_pages_of_any_size_give_the_same_records(stream: Stream) -> None:
    stream.append(numbered("u1", range(25)))
    partition, records = records_of(stream, "u1")
    for page in (1, 7, 25, 26):
        assert rest(stream, partition, page=page) == records


def test_what_is_appended_is_there_for_others_at_once(server: Server, stream: Stream, name: str) -> None:
    with closing(server.open(name)) as other:
        partition = None
        after = None
        for number in range(10):
            stream.append(numbered("u1", [number]))
            partition = partition or records_of(other, "u1")[0]
            [record] = other.read(partition, after, 10)
            assert record.value == f"u1 {number}".encode()
            after = record.position


def test_bytes_come_out_as_they_went_in(server: Server, stream: Stream) -> None:
    sent = [
        ("u1", b""),
        ("u1", bytes(range(256))),
        ("u1", b"\r\n$-1\r\n\x00"),
        ("u1", '{"query":"café ☕"}'.encode()),
        ("u1", b"x" * server.largest),
    ]
    stream.append(sent)
    assert [record.value for record in records_of(stream, "u1")[1]] == [value for _, value in sent]


@pytest.mark.parametrize(
    "key",
    ["", " ", "ключ", "用户" * 200, "u:1-{x}\n", "\ud800"],
    ids=["none", "blank", "ru", "long", "odd", "half"],
)
def test_any_text_is_a_key(stream: Stream, key: str) -> None:
    stream.append([(key, b"1"), (key, b"2")])
    stream.append([(key, b"3")])
    assert [record.value for record in records_of(stream, key)[1]] == [b"1", b"2", b"3"]


def test_appending_nothing_is_nothing(stream: Stream) -> None:
    stream.append([])
    assert not any(values(stream).values())


def test_waiting_counts_down_to_nothing(stream: Stream) -> None:
    stream.append(numbered("u1", range(450)))
    partition, records = records_of(stream, "u1")
    for read in (0, 1, 225, 449, 450):
        after = records[read - 1].position if read else None
        assert stream.waiting(partition, after) == 450 - read


def test_a_backlog_is_seen_and_goes_away(stream: Stream) -> None:
    stream.append(numbered("u1", range(3000)))
    partition, records = records_of(stream, "u1")
    assert stream.waiting(partition, None) >= 1000, "an estimate, but no small one"
    assert stream.waiting(partition, records[-1].position) == 0


def test_what_comes_after_a_forgotten_position_stays(stream: Stream) -> None:
    stream.append(numbered("u1", range(100)))
    partition, records = records_of(stream, "u1")
    stream.forget(partition, records[59].position)
    assert stream.read(partition, records[59].position, 100) == records[60:]
    assert rest(stream, partition)[-40:] == records[60:]
    assert stream.waiting(partition, records[59].position) == 40
    stream.forget(partition, records[-1].position)
    stream.append(numbered("u1", [100]))
    [newest] = stream.read(partition, records[-1].position, 10)
    assert newest.position > records[-1].position


def test_two_producers_that_take_turns_lose_nothing(server: Server, stream: Stream, name: str) -> None:
    with closing(server.open(name)) as other:
        for number in range(50):
            stream.append(numbered("u1", [number]))
            other.append(numbered("u2", [number]))
    found = [value for kept in values(stream).values() for value in kept]
    for key in ("u1", "u2"):
        assert [v for v in found if v.startswith(key.encode())] == [v for _, v in numbered(key, range(50))]


def test_producers_at_the_same_time_lose_nothing(restartable: Restartable, name: str) -> None:
    """Not of Kinesis: moto's server says of itself that it is not safe to write to at the same time."""

    def produce(key: str) -> None:
        with closing(restartable.open(name)) as own:
            for first in range(0, 300, 10):
                own.append(numbered(key, range(first, first + 10)))

    producers = [threading.Thread(target=produce, args=(f"u{number}",)) for number in range(4)]
    for producer in producers:
        producer.start()
    for producer in producers:
        producer.join()
    with closing(restartable.open(name)) as stream:
        found = [value for kept in values(stream).values() for value in kept]
    assert len(found) == 1200
    for number in range(4):
        of_key = [value for value in found if value.startswith(f"u{number} ".encode())]
        assert of_key == [value for _, value in numbered(f"u{number}", range(300))]


def test_a_server_that_is_not_there_is_named(server: Server, name: str) -> None:
    address = f"127.0.0.1:{free_port()}"
    with closing(server.open(name, address=address)) as stream:
        with pytest.raises(StreamUnavailable, match=f"{name}.*{address}"):
            stream.append(numbered("u1", [0]))
        with pytest.raises(StreamUnavailable, match=f"{name}.*{address}"):
            stream.read("0", None, 10)


def test_what_was_acknowledged_survives_kill_9_under_load(restartable: Restartable, name: str) -> None:
    acknowledged: list[int] = []
    enough = threading.Event()
    failed: list[StreamUnavailable] = []
    with closing(restartable.open(name)) as stream:

        def produce() -> None:
            for number in range(1_000_000):
                try:
                    stream.append(numbered("u1", [number]))
                except StreamUnavailable as error:
                    failed.append(error)
                    return
                acknowledged.append(number)
                if number == 200:
                    enough.set()

        producer = threading.Thread(target=produce)
        producer.start()
        assert enough.wait(60)
        restartable.kill()
        producer.join()
        assert failed, "the producer was told"
        restartable.start()
        partition, records = records_of(stream, "u1")
        kept = [int(record.value.split()[1]) for record in records]
        # the one that was being sent may be there or not
        assert kept[: len(acknowledged)] == acknowledged
        assert len(kept) <= len(acknowledged) + 1
        stream.append([("u1", b"afterwards")])
        assert [record.value for record in stream.read(partition, records[-1].position, 10)] == [
            b"afterwards"
        ]
