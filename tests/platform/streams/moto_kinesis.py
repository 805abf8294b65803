"""moto's server with two things put right, so that a split goes as AWS' does; run as a module.

In moto a closed shard takes the records that belong to its children, and never says that it has ended.
moto still moves the old records of a split shard to its children, where AWS leaves them.
"""

from __future__ import annotations

import sys
from hashlib import md5

from moto.kinesis.models import KinesisBackend, Shard, Stream
from moto.kinesis.utils import decompose_shard_iterator
from moto.server import main

_get_records = KinesisBackend.get_records


def _open_shard(self: Stream, partition_key: str, explicit_hash_key: str) -> Shard | None:
    place = int(explicit_hash_key or md5(partition_key.encode()).hexdigest(), 16)
    for shard in list(self.shards.values()):
        if shard.is_open and shard.starting_hash <= place <= shard.ending_hash:
            return shard
    return None


def _records_until_the_end(
    self: KinesisBackend, stream_arn: str | None, shard_iterator: str, limit: int | None
) -> tuple[str | None, list[object], int]:
    following, records, behind = _get_records(self, stream_arn, shard_iterator, limit)
    name, shard_id, last = decompose_shard_iterator(following)
    shard = self.describe_stream(stream_arn=None, stream_name=name).get_shard(shard_id)
    ended = not shard.is_open and int(last) >= shard.get_max_sequence_number()
    return None if ended else following, list(records), behind


if __name__ == "__main__":
    Stream.get_shard_for_key = _open_shard  # type: ignore[method-assign]
    KinesisBackend.get_records = _records_until_the_end  # type: ignore[method-assign, assignment]
    main(sys.argv[1:])
