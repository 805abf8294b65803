"""What only the stream in Kinesis does: shards that split, refused records, throttling."""

from __future__ import annotations

from contextlib import closing

import boto3
import pytest

from reco_assets.platform.settings import Settings
from reco_assets.platform.streams.kinesis_client import Patience, kinesis_client
from reco_assets.platform.streams.kinesis_stream import KinesisStream
from reco_assets.platform.streams.stream import StreamUnavailable
from tests.platform.streams.busy_kinesis import busy
from tests.platform.streams.servers import KinesisServer, numbered, rest, values


def test_shards_of_a_split_are_read_beside_their_parent(kinesis_server: KinesisServer, name: str) -> None:
    with closing(kinesis_server.open(name, 1)) as stream:
        stream.append(numbered("u1", range(5)))
        [parent] = stream.partitions()
        before = rest(stream, parent)
        assert len(before) == 5
        client = boto3.client(
            "kinesis", endpoint_url=f"http://{kinesis_server.address}", region_name="us-east-1"
        )
        with closing(client):
            client.split_shard(StreamName=name, ShardToSplit=parent, NewStartingHashKey=str(2**127))
        first, *children = stream.partitions()
        assert first == parent
        assert len(children) == 2
        # AWS leaves old records where they were; moto takes them to the children
        old = {shard: rest(stream, shard) for shard in children}
        for number in range(20):
            stream.append(numbered(f"u{number}", range(3)))
        assert stream.read(parent, before[-1].position, 10) == []
        found = [
            record.value
            for shard in children
            for record in rest(stream, shard, old[shard][-1].position if old[shard] else None)
        ]
        assert all(rest(stream, shard) for shard in children), "both halves got some"
        for number in range(20):
            of_key = [value for value in found if value.startswith(f"u{number} ".encode())]
            assert of_key == [value for _, value in numbered(f"u{number}", range(3))]


def test_refused_records_are_sent_again_and_only_those(kinesis_server: KinesisServer, name: str) -> None:
    with busy(kinesis_server.address) as address, closing(kinesis_server.open(name, 1, address)) as stream:
        sent = [("u1", f"{number}".encode()) for number in range(1200)]
        stream.append(sent)
        [found] = values(stream).values()
        assert sorted(found) == sorted(value for _, value in sent)
        # one request after another: what was refused of a request still comes before the next one
        assert sorted(found[:500], key=int) == [value for _, value in sent[:500]]
        assert found[:4] == [b"0", b"1", b"3", b"4"]


def test_patience_ends(kinesis_server: KinesisServer, name: str) -> None:
    """A clock that jumps a minute at each look."""
    now = iter(range(0, 10**6, 60))
    with busy(kinesis_server.address) as address:
        client = kinesis_client(
            Settings(stream="kinesis", kinesis_endpoint=f"http://{address}", s3_region="us-east-1")
        )
        patience = Patience(clock=lambda: float(next(now)), sleep=lambda _: None)
        with (
            closing(KinesisStream(client, name, 1, patience)) as stream,
            pytest.raises(
                StreamUnavailable, match=r"1 of 3 records are still refused, Provisioned.*too much"
            ),
        ):
            stream.append(numbered("u1", range(3)))


def test_large_records_are_sent_in_requests_that_kinesis_takes(
    kinesis_server: KinesisServer, name: str
) -> None:
    with closing(kinesis_server.open(name, 1)) as stream:
        sent = [("u1", bytes([number]) * 900_000) for number in range(12)]
        stream.append(sent)
        [found] = values(stream).values()
        assert found == [value for _, value in sent]


def test_a_missing_region_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for missing in ("AWS_REGION", "AWS_DEFAULT_REGION", "RECO_S3_REGION"):
        monkeypatch.delenv(missing, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(StreamUnavailable, match=r"opening Kinesis: .*region.*AWS_REGION"):
        kinesis_client(Settings(stream="kinesis"))
