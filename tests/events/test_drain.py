"""A stream is drained into the lake once, record by record, whatever ends or meets on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any

import pytest
import redis
from typing_extensions import override

from reco_assets.events.contract import EVENTS, QUARANTINE
from reco_assets.events.drain import drain, waiting
from reco_assets.platform.lake import Lake
from reco_assets.platform.redis import connect
from reco_assets.platform.settings import Settings
from reco_assets.platform.staging import Staged
from reco_assets.platform.streams.positions import recorded
from reco_assets.platform.streams.redis_stream import RedisStream, partition_of
from reco_assets.platform.streams.stream import Record
from tests.online.conftest import redis_settings, store

__all__ = ["redis_settings", "store"]

BOTH = ("0", "1")
#: Users whose records are in partition 0 and in partition 1.
ANN, BOB = (next(f"u{n}" for n in range(99) if partition_of(f"u{n}", 2) == part) for part in (0, 1))


class Killed(Exception):
    """The process has ended here."""


@contextmanager
def dying_before_its_events() -> Iterator[None]:
    """The process ends when quarantine has been committed, and events have not."""
    real = Staged.append

    def append(staged: Staged, *progress: Any) -> int:  # noqa: ANN401 - passed on as they are
        if staged.table == EVENTS:
            raise Killed
        return real(staged, *progress)

    with pytest.MonkeyPatch.context() as monkey:
        monkey.setattr(Staged, "append", append)
        yield


class MeetingStream(RedisStream):
    """A stream whose readers wait for each other once, so that they read the same."""

    meeting: Barrier | None = None

    @override
    def read(self, partition: str, after: int | None, most: int) -> list[Record]:
        found = super().read(partition, after, most)
        if self.meeting is not None and partition == BOTH[-1]:
            meeting, self.meeting = self.meeting, None
            meeting.wait()
        return found


@pytest.fixture
def stream(redis_settings: Settings, store: redis.Redis) -> Iterator[RedisStream]:
    """An empty stream of two partitions."""
    opened = RedisStream(connect(redis_settings), "events", 2, 1_000)
    yield opened
    opened.close()


def click(event_id: str, user: str = ANN, **fields: object) -> tuple[str, bytes]:
    """A good record, unless ``fields`` make it bad."""
    told = {
        "event_id": event_id,
        "user_id": user,
        "event_type": "click",
        "product_id": "p1",
        "timestamp": "2024-05-01T12:00:00Z",
    }
    return user, json.dumps(told | fields).encode()


def bad(event_id: str, user: str = ANN) -> tuple[str, bytes]:
    """A record that breaks the contract."""
    return click(event_id, user, event_type="stared at")


def ids(lake: Lake) -> list[str]:
    """Event ids of ``raw/events``, each as often as it is there."""
    return sorted(lake.scan(EVENTS).collect()["event_id"].to_list())


def refused(lake: Lake) -> list[str]:
    """Event ids of what is in quarantine, each as often as it is there."""
    payloads = lake.scan(QUARANTINE).collect()["payload"].to_list()
    return sorted(json.loads(payload)["event_id"] for payload in payloads)


def test_every_record_goes_to_its_table_with_its_bytes_and_its_place(lake: Lake, stream: RedisStream) -> None:
    stream.append([click("e1"), bad("b1"), click("e2", BOB), click("e3")])

    drained = drain(lake, stream, 100)

    assert (drained.records, drained.accepted, drained.quarantined, drained.waiting) == (4, 3, 1, 0)
    rows = lake.scan(EVENTS).sort("event_id").collect()
    assert rows["event_id"].to_list() == ["e1", "e2", "e3"]
    assert rows["payload"].to_list() == [click("e1")[1], click("e2", BOB)[1], click("e3")[1]]
    assert rows["delivery"].to_list() == ["stream:events:0", "stream:events:1", "stream:events:0"]
    (lost,) = lake.scan(QUARANTINE).collect().to_dicts()
    assert lost["payload"] == bad("b1")[1]
    assert any("event_type" in reason for reason in lost["reasons"])
    assert lost["delivery_position"] > rows["delivery_position"][0]


def test_the_commit_says_how_far_the_stream_was_read_and_a_second_drain_has_nothing(
    lake: Lake, stream: RedisStream
) -> None:
    stream.append([click("e1"), click("e2", BOB)])
    last = {part: stream.read(part, None, 9)[-1].position for part in BOTH}
    drained = drain(lake, stream, 100)
    assert {part: recorded(lake, EVENTS, "events", part) for part in BOTH} == last == drained.positions
    assert waiting(lake, stream) == 0

    again = drain(lake, stream, 100)

    assert (again.records, again.version) == (0, drained.version)
    assert ids(lake) == ["e1", "e2"]


def test_what_is_in_the_lake_is_forgotten_by_the_stream(lake: Lake, stream: RedisStream) -> None:
    stream.append([click(f"e{n}") for n in range(5)])
    drain(lake, stream, 3)
    assert len(stream.read("0", None, 9)) == 2


def test_poison_does_not_stop_the_others(lake: Lake, stream: RedisStream) -> None:
    poison = [
        b"\xff\xfe",
        b"",
        b"{",
        b"[1, 2]",
        b"null",
        b'{"event_id": ' + b"[" * 5_000,
        b'"' + b"x" * 99_999,
    ]
    stream.append([click("e1"), *((ANN, payload) for payload in poison), click("e2")])

    drained = drain(lake, stream, 100)

    assert (drained.accepted, drained.quarantined) == (2, len(poison))
    assert ids(lake) == ["e1", "e2"]
    held = lake.scan(QUARANTINE).sort("delivery_position").collect()
    assert held["payload"].to_list() == poison
    assert all(len(reasons) for reasons in held["reasons"])


def test_a_backlog_is_drained_in_parts_without_a_gap(lake: Lake, stream: RedisStream) -> None:
    stream.append([click(f"e{n:02}", (ANN, BOB)[n % 2]) for n in range(20)])
    behind = []
    while (drained := drain(lake, stream, 3)).records:
        behind.append(drained.waiting)
    assert behind == [14, 8, 2, 0]
    assert ids(lake) == [f"e{n:02}" for n in range(20)]


def test_a_drain_that_dies_between_its_commits_neither_loses_nor_doubles(
    lake: Lake, stream: RedisStream
) -> None:
    stream.append([click("e1"), bad("b1"), click("e2", BOB)])
    drain(lake, stream, 100)
    stream.append([click("e3"), bad("b2"), bad("b3", BOB)])
    with dying_before_its_events(), pytest.raises(Killed):
        drain(lake, stream, 100)
    assert (refused(lake), ids(lake)) == (["b1", "b2", "b3"], ["e1", "e2"])
    stream.append([bad("b4")])

    drained = drain(lake, stream, 100)

    assert (drained.accepted, drained.quarantined) == (1, 3)
    assert ids(lake) == ["e1", "e2", "e3"]
    assert refused(lake) == ["b1", "b2", "b3", "b4"]


def test_a_shorter_read_after_a_death_does_not_forget_what_quarantine_has(
    lake: Lake, stream: RedisStream
) -> None:
    drain(lake, stream, 100)
    stream.append([click("e1"), bad("b1"), bad("b2"), bad("b3"), click("e2", BOB)])
    with dying_before_its_events(), pytest.raises(Killed):
        drain(lake, stream, 100)
    stream.append([bad("b4", BOB)])

    while drain(lake, stream, 2).records:
        pass

    assert refused(lake) == ["b1", "b2", "b3", "b4"]
    assert ids(lake) == ["e1", "e2"]


def test_two_drains_at_once_bring_every_record_once(
    lake: Lake, stream: RedisStream, redis_settings: Settings
) -> None:
    drain(lake, stream, 100)
    stream.append([click(f"e{n:02}", (ANN, BOB)[n % 2]) for n in range(20)] + [bad("b1"), bad("b2", BOB)])
    meeting = Barrier(2)

    def drained(_: int) -> int:
        own = MeetingStream(connect(redis_settings), "events", 2, 1_000)
        own.meeting = meeting
        try:
            return drain(lake, own, 100).accepted
        finally:
            own.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(drained, range(2))) == [0, 20]
    assert ids(lake) == [f"e{n:02}" for n in range(20)]
    assert refused(lake) == ["b1", "b2"]
