"""A stream in Kinesis: shards are partitions, sequence numbers are positions, retention forgets.

What Kinesis keeps of a key's order: requests are sent one after another, so records of different requests
stay in order; where it refuses some records of a request for a moment, those come behind the others of that
request. After a split or a merge a key goes on in another shard, named behind its parent, which stays listed
until retention has emptied it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from reco_assets.platform.streams.kinesis_client import Client, Patience, Reply, code_of
from reco_assets.platform.streams.stream import Record, Stream, StreamUnavailable

# Limits of one request.
_RECORDS: Final = 500
_BYTES: Final = 5 * 1024 * 1024
_PAGE: Final = 10_000
_COUNTED: Final = 1_000

_CREATING: Final = 60.0  # seconds that AWS may take to make a stream


class KinesisStream(Stream):
    """The Kinesis stream ``name``.

    Parameters
    ----------
    shards
        Shards of a stream that is not there yet; one that is keeps its own.
    patience
        How to wait where Kinesis throttles.
    """

    def __init__(self, client: Client, name: str, shards: int, patience: Patience | None = None) -> None:
        self.name = name
        self._client, self._wanted = client, shards
        self._patience = patience or Patience()
        self._exists = False
        # where reading goes on: shard -> position read last, iterator behind it; an iterator costs a request
        self._next: dict[str, tuple[int | None, str]] = {}

    def partitions(self) -> Sequence[str]:
        """Ids of the shards, closed ones as well, sorted: parents before children."""
        with self._asking("listing the shards of"):
            self._make()
            which, shards = {"StreamName": self.name}, []
            while True:
                page = self._patience.ask(self._client.list_shards, **which)
                shards += [str(shard["ShardId"]) for shard in page["Shards"]]
                if not page.get("NextToken"):
                    return sorted(shards)
                which = {"NextToken": str(page["NextToken"])}

    def append(self, records: Sequence[tuple[str, bytes]]) -> None:
        """Requests of up to 500 records, one after another; records that were refused are sent again."""
        with self._asking(f"appending {len(records)} records to"):
            self._make()
            for request in _requests(records):
                self._put(request)

    def read(self, partition: str, after: int | None, most: int) -> list[Record]:
        """Up to ``most`` records: page after page until there are so many or the tip is reached."""
        records: list[Record] = []
        with self._asking(f"reading shard {partition} of"):
            self._make()
            place: str | None = self._place(partition, after)
            while place and len(records) < most:
                limit = min(_PAGE, most - len(records))
                page = self._page(partition, records[-1].position if records else after, place, limit)
                records += [_record(entry) for entry in page["Records"]]
                place = page.get("NextShardIterator")  # none behind the last record of a closed shard
                if len(page["Records"]) < limit and not page["MillisBehindLatest"]:
                    break
        if place:
            self._next[partition] = (records[-1].position if records else after, place)
        return records

    def waiting(self, partition: str, after: int | None) -> int:
        """Beyond 1,000 records an estimate: their rate for as long as ``MillisBehindLatest`` says is left."""
        with self._asking(f"asking how far shard {partition} has been read of"):
            self._make()
            found: list[Record] = []
            place: str | None = self._place(partition, after)
            while place and len(found) < _COUNTED:
                page = self._page(partition, after, place, _COUNTED - len(found))
                found += [_record(entry) for entry in page["Records"]]
                behind_us = int(page["MillisBehindLatest"]) * 1000
                if not behind_us:
                    break
                if found:
                    took_us = max(1000, found[-1].at_us - found[0].at_us)
                    return len(found) + max(1, len(found) * behind_us // took_us)
                place = page.get("NextShardIterator")
        return len(found)

    def forget(self, partition: str, upto: int) -> None:
        """Nothing: the stream's retention decides."""

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def _put(self, entries: list[dict[str, str | bytes]]) -> None:
        pauses = self._patience.pauses()
        while True:
            reply = self._patience.ask(self._client.put_records, StreamName=self.name, Records=entries)
            results = list(zip(entries, reply["Records"], strict=True))
            entries = [entry for entry, result in results if result.get("ErrorCode")]
            if not entries:
                return
            if not next(pauses):
                why = next(result for _, result in results if result.get("ErrorCode"))
                raise StreamUnavailable(
                    f"appending to the Kinesis stream {self.name}: {len(entries)} of {len(results)} records"
                    f" are still refused, {why['ErrorCode']}: {why.get('ErrorMessage')}",
                    hint="add shards, or send less at a time",
                )

    def _place(self, partition: str, after: int | None) -> str:
        position, place = self._next.get(partition, (None, ""))
        return place if place and position == after else self._new_place(partition, after)

    def _new_place(self, partition: str, after: int | None) -> str:
        where = {"StreamName": self.name, "ShardId": partition, "ShardIteratorType": "TRIM_HORIZON"}
        if after is not None:
            where |= {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": str(after)}
        return str(self._patience.ask(self._client.get_shard_iterator, **where)["ShardIterator"])

    def _page(self, partition: str, after: int | None, place: str, limit: int) -> Reply:
        """A page from ``place`` on, which is behind ``after`` and may have expired."""
        try:
            return self._patience.ask(self._client.get_records, ShardIterator=place, Limit=limit)
        except ClientError as error:
            if code_of(error) != "ExpiredIteratorException":
                raise
        fresh = self._new_place(partition, after)
        return self._patience.ask(self._client.get_records, ShardIterator=fresh, Limit=limit)

    def _make(self) -> None:
        """Make the stream where there is none, and wait until it takes records."""
        end = self._patience.clock() + _CREATING
        while not self._exists:
            try:
                told = self._patience.ask(self._client.describe_stream_summary, StreamName=self.name)
                status = str(told["StreamDescriptionSummary"]["StreamStatus"])
                self._exists = status in ("ACTIVE", "UPDATING")
            except ClientError as error:
                if code_of(error) != "ResourceNotFoundException":
                    raise
                status = "missing"
                self._create()
            if not self._exists and self._patience.clock() > end:
                raise StreamUnavailable(
                    f"opening the Kinesis stream {self.name}: it is {status} after {_CREATING:.0f} s",
                    hint="look at it in the AWS console",
                )
            if not self._exists:
                self._patience.sleep(0.2)

    def _create(self) -> None:
        try:
            self._client.create_stream(StreamName=self.name, ShardCount=self._wanted)
        except ClientError as error:
            if code_of(error) != "ResourceInUseException":  # somebody else was faster
                raise

    @contextmanager
    def _asking(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise StreamUnavailable(
                f"{doing} the Kinesis stream {self.name}: {error}",
                hint="check RECO_KINESIS_ENDPOINT, the region and the AWS_* credentials",
            ) from error


def _requests(records: Sequence[tuple[str, bytes]]) -> Iterator[list[dict[str, str | bytes]]]:
    """``records`` as the entries of one request after another."""
    entries: list[dict[str, str | bytes]] = []
    size = 0
    for key, value in records:
        shown = _partition_key(key)
        more = len(shown.encode()) + len(value)
        if entries and (len(entries) == _RECORDS or size + more > _BYTES):
            yield entries
            entries, size = [], 0
        entries.append({"PartitionKey": shown, "Data": value})
        size += more
    if entries:
        yield entries


def _partition_key(key: str) -> str:
    """The key itself, or its digest where Kinesis would not take it: none, too long, or no valid text."""
    encoded = key.encode("utf-8", "surrogatepass")
    if 0 < len(key) <= 256 and encoded == key.encode("utf-8", "replace"):
        return key
    return hashlib.sha256(encoded).hexdigest()


def _record(entry: Mapping[str, Any]) -> Record:
    at = entry["ApproximateArrivalTimestamp"]
    return Record(int(entry["SequenceNumber"]), round(at.timestamp() * 1_000_000), bytes(entry["Data"]))
