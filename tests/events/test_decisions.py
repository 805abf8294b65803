"""What the service answered reaches the lake once, however often it is told and wherever a drain dies."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import polars as pl
import pytest

from reco_assets.events.contract import EVENT_SCHEMA
from reco_assets.events.decided import PARTITIONS, Asker, Exposure, decode, encode
from reco_assets.events.decision_rows import DECISIONS, DECISIONS_SCHEMA
from reco_assets.events.decisions import DrainedDecisions, drain_decisions
from reco_assets.events.quarantine import quarantined, replay
from reco_assets.events.validate import validate
from reco_assets.platform.lake import Lake
from reco_assets.platform.streams.stream import Stream
from tests.builders import moment
from tests.events.answers import decided
from tests.platform.streams.servers import RedisServer
from tests.streaming.tables import Killed, MortalLake

AT = "2024-05-01T12:00:00.5"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def stream(server: RedisServer) -> Iterator[Stream]:
    """A stream of decisions that is not there yet."""
    opened = server.open(f"decisions-{uuid4().hex[:12]}", PARTITIONS)
    yield opened
    opened.close()


def tell(stream: Stream, *records: bytes) -> None:
    stream.append([("", record) for record in records])


def ids(lake: Lake, table: str, column: str) -> list[str]:
    return lake.scan(table).collect()[column].sort().to_list()


def test_a_decision_is_a_row_and_its_products_are_impressions(lake: Lake, stream: Stream) -> None:
    inside = [Exposure("colours", "blue", 2)]
    record = encode(decided("r1", 17, "p3", "p1", at=AT, session_id="s1", variant="blue", exposures=inside))
    tell(stream, record)

    assert drain_decisions(lake, stream, 100) == DrainedDecisions(records=1, decisions=1, impressions=2)

    [row] = lake.scan(DECISIONS).collect().to_dicts()
    assert list(row) == list(DECISIONS_SCHEMA)
    assert row["delivery"] == f"stream:{stream.name}:0"
    told = {name: row[name] for name in list(DECISIONS_SCHEMA)[3:]}
    assert told == {
        "recommendation_id": "r1",
        "user_id": "17",
        "session_id": "s1",
        "decided_at": moment(AT),
        "decided_date": moment(AT).date(),
        "bundle": "b1",
        "product_epoch": 7,
        "rung": "full",
        "variant": "blue",
        "seed": 3,
        "products": ["p3", "p1"],
        "scores": [1.0, 0.5],
        "sources": ["popular", "popular"],
        "propensities": [1.0, 1.0],
        "policy": "",
        "experiments": ["colours"],
        "variants": ["blue"],
        "phases": [2],
        "degraded": False,
        "latency_ms": 3.5,
        "record": record,
    }
    shown = lake.scan("raw/events").sort("position").collect()
    assert shown.select("event_id", "user_id", "session_id", "product_id", "recommendation_id").rows() == [
        ("r1:0", "17", "s1", "p3", "r1"),
        ("r1:1", "17", "s1", "p1", "r1"),
    ]
    assert shown["event_type"].to_list() == ["impression"] * 2
    assert shown["timestamp"].to_list() == [moment(AT)] * 2
    assert shown["source"].to_list() == ["recommend"] * 2
    assert shown["position"].to_list() == [0, 1]
    judged = validate(shown.select(list(EVENT_SCHEMA)), moment("2030-01-01"))
    assert judged.rejected.is_empty()


def test_the_record_comes_back_whole(lake: Lake, stream: Stream) -> None:
    said = decided("r1", "u1", "p1", at=AT)
    tell(stream, encode(said))
    drain_decisions(lake, stream, 100)

    assert decode(lake.scan(DECISIONS).collect()["record"][0]) == (said, Asker("u1"))


def test_a_record_that_is_twice_in_the_stream_is_one_decision(lake: Lake, stream: Stream) -> None:
    first, second = (encode(decided(name, "u1", "p1", "p2", at=AT)) for name in ("r1", "r2"))
    tell(stream, first, first, second)
    assert drain_decisions(lake, stream, 100) == DrainedDecisions(3, 2, 1, impressions=4)

    tell(stream, second, first)
    assert drain_decisions(lake, stream, 100) == DrainedDecisions(2, 0, 2)

    assert ids(lake, DECISIONS, "recommendation_id") == ["r1", "r2"]
    assert ids(lake, "raw/events", "event_id") == ["r1:0", "r1:1", "r2:0", "r2:1"]


def test_a_drain_takes_what_it_may_and_the_stream_forgets_what_the_lake_has(
    lake: Lake, stream: Stream
) -> None:
    tell(stream, *(encode(decided(f"r{number}", "u1", "p1", at=AT)) for number in range(5)))

    assert drain_decisions(lake, stream, 2) == DrainedDecisions(2, 2, impressions=2, waiting=3)
    assert stream.waiting("0", None) == 3
    assert drain_decisions(lake, stream, 10) == DrainedDecisions(3, 3, impressions=3)
    assert stream.waiting("0", None) == 0
    versions = [lake.version(name) for name in (DECISIONS, "raw/events")]
    assert drain_decisions(lake, stream, 10) == DrainedDecisions()
    assert [lake.version(name) for name in (DECISIONS, "raw/events")] == versions


def test_an_answer_without_products_is_a_decision_without_impressions(lake: Lake, stream: Stream) -> None:
    tell(stream, encode(decided("r1", "u1", at=AT)))

    assert drain_decisions(lake, stream, 10) == DrainedDecisions(1, 1)
    assert ids(lake, DECISIONS, "recommendation_id") == ["r1"]


def test_what_is_no_decision_goes_to_quarantine_and_the_others_go_on(lake: Lake, stream: Stream) -> None:
    future = encode(decided("r2", "u1", "p1", at="2999-01-01"))
    nobody = encode(decided("r3", "u1", "p1", at=AT)).replace(b'"user_id"', b'"nobody_"')
    tell(stream, b"nonsense", future, nobody, encode(decided("r1", "u1", "p1", at=AT)))

    assert drain_decisions(lake, stream, 10) == DrainedDecisions(4, 1, 0, 3, 1)

    assert ids(lake, DECISIONS, "recommendation_id") == ["r1"]
    bad = quarantined(lake).sort("delivery_position")
    assert bad["payload"].to_list() == [b"nonsense", future, nobody]
    for reasons, told in zip(bad["reasons"].to_list(), ("Expected", "now_us", "Object"), strict=True):
        assert reasons[0].startswith(f"no decision: {told}")
    assert replay(lake, moment("2025-01-01")).rows == 0  # it is no event


@pytest.mark.parametrize("half_writes", range(1, 7))
def test_a_drain_that_dies_anywhere_is_completed_by_the_next(
    lake: Lake, stream: Stream, half_writes: int
) -> None:
    drain_decisions(lake, stream, 10)
    mortal = MortalLake(lake.root)
    records = [encode(decided(f"r{number}", "u1", "p1", "p2", at=AT)) for number in range(3)]
    tell(stream, *records[:2], b"nonsense")

    mortal.lives[0] = half_writes  # before or after the commit of quarantine, decisions, events
    with pytest.raises(Killed):
        drain_decisions(mortal, stream, 10)
    tell(stream, records[2], records[0])
    drain_decisions(lake, stream, 10)

    assert ids(lake, DECISIONS, "recommendation_id") == ["r0", "r1", "r2"]
    assert ids(lake, "raw/events", "event_id") == [f"r{n}:{place}" for n in range(3) for place in (0, 1)]
    assert quarantined(lake)["payload"].to_list() == [b"nonsense"]
    assert stream.waiting("0", None) == 0


def test_impressions_follow_from_the_table_even_where_the_stream_has_forgotten(
    lake: Lake, stream: Stream
) -> None:
    drain_decisions(lake, stream, 10)
    mortal = MortalLake(lake.root)
    tell(stream, encode(decided("r1", "u1", "p1", at=AT)))
    mortal.lives[0] = 2
    with pytest.raises(Killed):
        drain_decisions(mortal, stream, 10)
    stream.forget("0", stream.read("0", None, 10)[-1].position)
    assert lake.scan("raw/events").select(pl.len()).collect().item() == 0

    assert drain_decisions(lake, stream, 10) == DrainedDecisions(impressions=1)
    assert ids(lake, "raw/events", "event_id") == ["r1:0"]


def test_drains_at_the_same_time_bring_in_each_decision_once(
    lake: Lake, server: RedisServer, stream: Stream
) -> None:
    names = [f"r{number:02}" for number in range(40)]
    tell(stream, *(encode(decided(name, "u1", "p1", at=AT)) for name in names))

    def drain_all(_: int) -> DrainedDecisions:
        mine = server.open(stream.name, PARTITIONS)
        done = DrainedDecisions()
        while (more := drain_decisions(lake, mine, 7)).records:
            done += more
        mine.close()
        return done

    drain_decisions(lake, stream, 1)
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(drain_all, range(3)))

    assert sum(one.decisions for one in done) == 39
    assert ids(lake, DECISIONS, "recommendation_id") == names
    assert ids(lake, "raw/events", "event_id") == [f"{name}:0" for name in names]
