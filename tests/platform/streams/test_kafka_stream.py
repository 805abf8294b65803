"""What only the stream in Kafka does: topics of others, transactions, retention, a topic made anew."""

from __future__ import annotations

from contextlib import closing

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from reco_assets.platform.streams.stream import Stream, StreamUnavailable
from tests.platform.streams.refusing_broker import refusing
from tests.platform.streams.servers import KafkaServer, numbered, rest


def committed(stream: Stream, at_least: int) -> list[bytes]:
    """Values of partition 0, once the broker has written the marks of the transactions."""
    for _ in range(2000):
        if stream.waiting("0", None) >= at_least:
            break
    return [record.value for record in rest(stream, "0")]


def test_a_topic_of_somebody_else_is_read_as_it_is(kafka_server: KafkaServer, name: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka_server.address})
    admin.create_topics([NewTopic(name, 3)])[name].result()
    with closing(kafka_server.open(name, 7)) as stream:
        assert list(stream.partitions()) == ["0", "1", "2"]
        producer = Producer({"bootstrap.servers": kafka_server.address, "partitioner": "murmur2_random"})
        producer.produce(name, b"theirs", key=b"u1")
        producer.produce(name, None, key=b"u1")  # as Debezium ends the story of a row
        producer.flush()
        stream.append([("u1", b"ours")])
        [records] = [found for p in stream.partitions() if (found := rest(stream, p))]
        assert [record.value for record in records] == [b"theirs", b"", b"ours"]


def test_only_committed_records_are_read_and_marks_do_not_hold_a_reader_up(
    kafka_server: KafkaServer, name: str
) -> None:
    producer = Producer({"bootstrap.servers": kafka_server.address, "transactional.id": name})
    producer.init_transactions(30)
    with closing(kafka_server.open(name, 1)) as stream:
        stream.partitions()
        producer.begin_transaction()
        producer.produce(name, b"kept")
        producer.flush()
        assert rest(stream, "0") == []
        producer.commit_transaction()
        assert committed(stream, 2) == [b"kept"]  # the record and its mark
        producer.begin_transaction()
        producer.produce(name, b"taken back")
        producer.flush()
        producer.abort_transaction()
        assert committed(stream, 4) == [b"kept"]
        stream.append([("u1", b"afterwards")])
        assert [record.value for record in rest(stream, "0")] == [b"kept", b"afterwards"]


def test_records_that_retention_has_removed_are_skipped(kafka_server: KafkaServer, name: str) -> None:
    with closing(kafka_server.open(name, 1)) as stream:
        stream.append(numbered("u1", range(10)))
        admin = AdminClient({"bootstrap.servers": kafka_server.address})
        [deleted] = admin.delete_records([TopicPartition(name, 0, 6)]).values()
        deleted.result()
        assert [record.position for record in rest(stream, "0")] == [6, 7, 8, 9]
        assert [record.position for record in rest(stream, "0", after=2)] == [6, 7, 8, 9]
        assert stream.waiting("0", 2) == 4


def test_a_position_behind_the_end_is_not_taken_for_nothing_new(kafka_server: KafkaServer, name: str) -> None:
    with closing(kafka_server.open(name, 1)) as stream:
        stream.append(numbered("u1", range(3)))
        assert stream.read("0", 2, 10) == []
        with pytest.raises(StreamUnavailable, match="it ends at offset 3, but has been read up to 3"):
            stream.read("0", 3, 10)


def test_a_record_that_is_too_large_is_refused_by_name(kafka_server: KafkaServer, name: str) -> None:
    with (
        closing(kafka_server.open(name, 1)) as stream,
        pytest.raises(StreamUnavailable, match=f"appending 1 records to the topic {name} .*too large"),
    ):
        stream.append([("u1", b"x" * 2_000_000)])


def test_records_that_a_broker_refused_at_first_are_not_taken_for_kept(
    kafka_server: KafkaServer, name: str
) -> None:
    # the last is a request of its own: it would be taken, and the client believe that it has all before it
    sent = [*numbered("u1", range(4)), ("u1", b"x" * kafka_server.largest)]
    with closing(kafka_server.open(name, 1)) as straight:
        straight.partitions()
        with refusing(kafka_server.address, name) as broker:
            with closing(kafka_server.open(name, address=broker.address)) as stream:
                stream.append(sent)
            assert broker.refused == 1
        assert [record.value for record in rest(straight, "0")] == [value for _, value in sent]
