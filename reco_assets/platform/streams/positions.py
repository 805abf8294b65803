"""How far each stream has been read into a table: kept in the commits of that table, nowhere else.

An application transaction of Delta holds 63 bits. Kinesis' sequence numbers have up to 186, so a
position is written in limbs of 62 bits: the lowest under ``stream:<name>:<partition>``, the higher
ones, where there are any, under ``...:1``, ``...:2``. All limbs are in one commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl
from deltalake import DeltaTable

from reco_assets.platform.lake import Lake
from reco_assets.platform.streams.stream import Stream

_BITS: Final = 62
_MASK: Final = (1 << _BITS) - 1


def progress_of(stream_name: str, partition: str, position: int) -> dict[str, int]:
    """What :meth:`Lake.append` is given as ``progress`` by a commit that holds all up to ``position``.

    Raises ValueError where ``position`` is negative: no stream has such a one.
    """
    if position < 0:
        raise ValueError(f"position {position} of {partition} in the stream {stream_name} is negative")
    key = _key(stream_name, partition)
    limbs = {key: position & _MASK}
    while position := position >> _BITS:
        limbs[f"{key}:{len(limbs)}"] = position & _MASK
    return limbs


def recorded(lake: Lake, table: str, stream_name: str, partition: str) -> int | None:
    """Position up to which ``table`` holds ``partition``; None where nothing was read from it yet.

    Positions of a partition only grow, so its newest limbs are all of one commit.
    """
    return recorded_in(lake.open(table), stream_name, partition) if lake.exists(table) else None


def recorded_in(delta: DeltaTable, stream_name: str, partition: str) -> int | None:
    """As :func:`recorded`, in a table as it was when it was opened."""
    key = _key(stream_name, partition)
    position = delta.transaction_version(key)
    if position is None:
        return None
    limb = 1
    while (higher := delta.transaction_version(f"{key}:{limb}")) is not None:
        position |= higher << (_BITS * limb)
        limb += 1
    return position


def unread(lake: Lake, table: str, stream: Stream) -> int:
    """How many records of ``stream`` come after what ``table`` holds. Raises StreamUnavailable."""
    delta = lake.open(table) if lake.exists(table) else None
    return sum(
        stream.waiting(partition, recorded_in(delta, stream.name, partition) if delta else None)
        for partition in stream.partitions()
    )


def place_of(stream_name: str, partition: str, position: int) -> tuple[str, int]:
    """``delivery`` and ``delivery_position`` of a record in the tables of what was delivered.

    A position of more than 62 bits has its higher part in the delivery's name.
    """
    high = position >> _BITS
    return f"{_key(stream_name, partition)}{f':{high}' if high else ''}", position & _MASK


def places_of(stream_name: str, partition: str, positions: Sequence[int]) -> pl.DataFrame:
    """As :func:`place_of` of each of ``positions``, which rise: ``delivery`` and ``delivery_position``."""
    first, last = (place_of(stream_name, partition, positions[end])[0] for end in (0, -1))
    if first == last:
        names = pl.Series([first]).new_from_index(0, len(positions))
    else:
        names = pl.Series([place_of(stream_name, partition, position)[0] for position in positions])
    places = pl.Series([position & _MASK for position in positions], dtype=pl.Int64)
    return pl.DataFrame({"delivery": names, "delivery_position": places})


def _key(stream_name: str, partition: str) -> str:
    return f"stream:{stream_name}:{partition}"
