"""A stream in Kafka: one topic; offsets are positions, and Kafka's own retention forgets.

What was acknowledged has been taken by all in-sync replicas (``acks=all``). It survives the death of any
process; how many machines may be lost is the topic's replication factor and ``min.insync.replicas``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeAlias, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from reco_assets.platform.streams.stream import Record, Stream, StreamUnavailable

_PATIENCE: Final = 4.0  # seconds for one question
# A topic just made, or a leader that moves: over in a moment.
_AGAIN: Final = {
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_PARTITION,
    KafkaError._UNKNOWN_TOPIC,
}

_Options: TypeAlias = dict[str, str | int | float | bool]
_CLIENT: Final[_Options] = {
    "socket.connection.setup.timeout.ms": 3000,
    "reconnect.backoff.max.ms": 500,
    "log_level": 2,  # what is wrong is raised
}
_PRODUCER: Final[_Options] = {
    "acks": "all",
    "enable.idempotence": True,
    # One at a time: a broker that refuses the first request to a topic just made may take the second, and
    # the client then believes that it has the first as well, since it came before.
    "max.in.flight.requests.per.connection": 1,
    "partitioner": "murmur2_random",  # as Java's, so that other producers put a key into the same partition
    "linger.ms": 0,
    "compression.type": "lz4",
    "message.max.bytes": 1_048_588,  # as a broker has it
    "message.timeout.ms": int(_PATIENCE * 1000),
}
_CONSUMER: Final[_Options] = {
    "enable.auto.commit": False,  # the lake's commits hold the position
    "isolation.level": "read_committed",
    "enable.partition.eof": True,
    "auto.offset.reset": "earliest",
    "fetch.wait.max.ms": 20,  # going to another partition waits for it
    "fetch.queue.backoff.ms": 5,  # a second otherwise, whenever 100,000 records have been fetched ahead
    "queued.max.messages.kbytes": 32_768,
}


class KafkaStream(Stream):
    """The topic ``name`` of the cluster at ``servers``.

    Parameters
    ----------
    servers
        ``host:port``, several separated by commas.
    partitions
        Partitions of a topic that is not there yet; one that is keeps its own.
    clock
        Seconds that only grow; for deadlines.
    """

    def __init__(
        self, servers: str, name: str, partitions: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = name
        self._servers, self._wanted, self._clock = servers, partitions, clock
        self._options: _Options = {"bootstrap.servers": servers, **_CLIENT}
        self._consumer = Consumer({**self._options, **_CONSUMER, "group.id": f"reco-{name}"})
        # a broker answers a connection's requests in turn: questions would wait behind a pending fetch
        self._asker = Consumer({**self._options, **_CONSUMER, "group.id": f"reco-{name}"})
        self._producer = self._new_producer()
        self._exists = False
        self._reading = threading.Lock()
        # where the consumer goes on by itself; anywhere else it has to be sent to
        self._at: tuple[int, int] | None = None
        self._ended = threading.Event()
        self._reports = threading.Thread(target=self._report, name=f"kafka-{name}", daemon=True)
        self._reports.start()

    def partitions(self) -> Sequence[str]:
        """Numbers of the topic's partitions, sorted as texts; makes the topic where there is none."""
        with self._asking("listing the partitions of"):
            return sorted(str(partition) for partition in self._topic())

    def append(self, records: Sequence[tuple[str, bytes]]) -> None:
        """Return when the delivery of every record has been reported."""
        if not records:
            return
        with self._asking(f"appending {len(records)} records to"):
            if not self._exists:
                self._topic()
            producer = self._producer
            try:
                self._deliver(producer, records)
            except KafkaException as error:
                if error.args[0].fatal() or error.args[0].code() == KafkaError._FATAL:
                    self._producer = self._new_producer()  # this one will never send again
                raise

    def read(self, partition: str, after: int | None, most: int) -> list[Record]:
        """Up to ``most`` records; whether there are any is asked of the server, never waited for.

        Records that retention has removed unread are skipped.
        """
        number = int(partition)
        with self._reading, self._asking(f"reading partition {partition} of"):
            start, high = self._ends(number, after)
            if start >= high or most <= 0:
                return []
            records = self._fetch(number, start, high, most)
            if records and records[-1].position - start >= len(records):
                # offsets are missing: marks of transactions and compacted records are, for good, but a
                # client that came late to an assignment must not make us pass over others
                self._at = None
                records = self._fetch(number, start, high, most)
            return records

    def _fetch(self, partition: int, start: int, high: int, most: int) -> list[Record]:
        """Records from ``start`` on, below ``high``."""
        records: list[Record] = []
        if self._at != (partition, start):
            self._consumer.assign([TopicPartition(self.name, partition, start)])
        self._at = None  # unless all goes well
        at, end = start, self._clock() + _PATIENCE
        trouble = KafkaError(KafkaError._TIMED_OUT)
        while at < high and len(records) < most:
            messages = self._consumer.consume(min(most - len(records), high - at, 10_000), 0.01)
            for message in messages:
                error = message.error()
                offset = cast(int, message.offset())
                if error is None:
                    at = offset + 1
                    records.append(Record(offset, message.timestamp()[1] * 1000, _bytes_of(message)))
                elif error.code() == KafkaError._PARTITION_EOF:
                    at = max(at, offset)  # past the marks of transactions
                else:
                    trouble = error  # perhaps of an outage that is over
                    continue
                end = self._clock() + _PATIENCE
            if self._clock() > end:
                raise KafkaException(trouble)
        if records and records[-1].position == at - 1:
            self._at = (partition, at)
        return records

    def waiting(self, partition: str, after: int | None) -> int:
        """Offsets after ``after``; those of transactions' marks and of compacted records count as well."""
        with self._reading, self._asking(f"asking for the end of partition {partition} of"):
            start, high = self._ends(int(partition), after)
            return max(0, high - start)

    def forget(self, partition: str, upto: int) -> None:
        """Nothing: the topic's retention decides."""

    def close(self) -> None:
        """Give the connections back."""
        self._ended.set()
        self._reports.join()
        with self._reading:
            self._consumer.close()
        self._asker.close()

    def _ends(self, partition: int, after: int | None) -> tuple[int, int]:
        """The first offset to read and the one behind the last committed record."""
        if not self._exists:
            self._topic()
        low, high = self._watermarks(TopicPartition(self.name, partition))
        if after is not None and after >= high:
            raise StreamUnavailable(
                f"reading partition {partition} of the topic {self.name}: it ends at offset {high}, but has"
                f" been read up to {after}",
                hint="it was deleted and made anew; give the new one another name and set RECO_STREAM_NAME",
            )
        return low if after is None else max(low, after + 1), high

    def _watermarks(self, of: TopicPartition) -> tuple[int, int]:
        end = self._clock() + _PATIENCE
        while True:
            try:
                return self._asker.get_watermark_offsets(of, timeout=_PATIENCE, cached=False)
            except KafkaException as error:
                if error.args[0].code() not in _AGAIN or self._clock() > end:
                    raise
            self._ended.wait(0.05)

    def _new_producer(self) -> Producer:
        return Producer({**self._options, **_PRODUCER})

    def _deliver(self, producer: Producer, records: Sequence[tuple[str, bytes]]) -> None:
        """Send ``records`` and wait for all reports."""
        delivery, end = _Delivery(len(records)), self._clock() + _PATIENCE
        for key, value in records:
            encoded = key.encode("utf-8", "surrogatepass")
            while True:
                try:
                    producer.produce(self.name, value=value, key=encoded, on_delivery=delivery)
                    break
                except BufferError:  # its queue is full
                    if self._clock() > end:
                        raise KafkaException(KafkaError(KafkaError._QUEUE_FULL)) from None
                    producer.poll(0.01)
        if not delivery.done.wait(2 * _PATIENCE):
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        if delivery.error is not None:
            raise KafkaException(delivery.error)

    def _report(self) -> None:
        """One thread tells all appends of their deliveries: polled by each, they would wake for others'."""
        while not self._ended.is_set():
            self._producer.poll(0.1)

    def _topic(self) -> list[int]:
        """Partitions of the topic, which is made where it is missing."""
        end = self._clock() + _PATIENCE
        while True:
            topic = self._asker.list_topics(self.name, timeout=_PATIENCE).topics[self.name]
            if topic.error is None:
                self._exists = True
                return list(topic.partitions)
            if topic.error.code() not in _AGAIN or self._clock() > end:
                raise KafkaException(topic.error)
            if topic.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                self._create()

    def _create(self) -> None:
        made = NewTopic(self.name, self._wanted, config={"message.timestamp.type": "LogAppendTime"})
        admin = AdminClient(self._options)
        try:
            admin.create_topics([made], operation_timeout=_PATIENCE, request_timeout=_PATIENCE)[
                self.name
            ].result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise

    @contextmanager
    def _asking(self, doing: str) -> Iterator[None]:
        try:
            yield
        except KafkaException as error:
            raise StreamUnavailable(
                f"{doing} the topic {self.name} of Kafka at {self._servers}: {error.args[0].str()}",
                hint="is the broker running? correct RECO_KAFKA_SERVERS if it is elsewhere",
            ) from error


class _Delivery:
    """Counts the reports of one append; called by the producer, once for each record."""

    def __init__(self, records: int) -> None:
        self.done = threading.Event()
        self.error: Any = None
        self._left = records

    def __call__(self, error: KafkaError | None, _: Message) -> None:
        self.error = self.error or error
        self._left -= 1
        if self._left == 0:
            self.done.set()


def _bytes_of(message: Message) -> bytes:
    """Its value; none, as Debezium says that a row is gone for good, is an empty one."""
    return message.value() or b""
