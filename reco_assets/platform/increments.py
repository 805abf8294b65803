"""What has changed in a lake table since a reader last looked, and how far that reader has come.

A table that follows another one keeps its progress in its own commits: under ``<upstream>`` the
upstream version up to which it has taken in all that was appended, under ``<upstream>@<day>`` the
version that a day was last made from. Whatever wrote the day last, a micro-batch or a backfill, has
said so in the commit of its rows; so an appended row is taken in once, in whatever order they come.
Two writers that meet on one day conflict on that key, and the later one begins again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby
from typing import Final, Self, TypeVar
from urllib.parse import unquote

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.fs import DeltaStorageHandler

from reco_assets.errors import ConcurrentWrite
from reco_assets.platform.lake import PARTITIONS, Lake

#: A writer that lost against another one begins again so many times.
ATTEMPTS: Final = 10

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Appended:
    """A data file that one commit added: where it is, the commit's version, its partition day."""

    uri: str
    version: int
    day: date | None


@dataclass(frozen=True)
class Changes:
    """What the commits ``(after, upto]`` of a table did.

    Attributes
    ----------
    appended
        Files with new rows, in the order of the commits; those that a later commit took away are left out.
    rewritten
        Partition days whose rows were replaced, with the version that did it last. Files added by
        such a commit are not in ``appended``; a mere compaction is in neither.
    gone
        The log does not reach back so far any more: whatever follows the table must be made anew.
    """

    after: int
    upto: int
    appended: tuple[Appended, ...] = ()
    rewritten: Mapping[date | None, int] = field(default_factory=dict)
    gone: bool = False

    @property
    def nothing(self) -> bool:
        """Whether no row has come or gone."""
        return not self.appended and not self.rewritten and not self.gone


def changes(lake: Lake, name: str, after: int, upto: int) -> Changes:
    """Read the commits ``(after, upto]`` of table ``name`` from its log."""
    storage = DeltaStorageHandler(lake.uri(name), dict(lake.storage_options) or None)
    appended: dict[str, Appended] = {}
    rewritten: dict[date | None, int] = {}
    column = PARTITIONS.get(name)
    for version in range(after + 1, upto + 1):
        added: list[Appended] = []
        replaced: set[date | None] = set()
        try:
            actions = _actions(storage, version)
        except FileNotFoundError:  # Delta keeps the log of a month, and a checkpoint of all before
            return Changes(after, upto, gone=True)
        for action in actions:
            if "add" in action and action["add"].get("dataChange", True):
                path = unquote(action["add"]["path"])
                added.append(Appended(f"{lake.uri(name)}/{path}", version, _day(action["add"], column)))
            elif "remove" in action and action["remove"].get("dataChange", True):
                replaced.add(_day(action["remove"], column))
                appended.pop(f"{lake.uri(name)}/{unquote(action['remove']['path'])}", None)
        for day in replaced:
            rewritten[day] = version
        appended |= {one.uri: one for one in added if one.day not in replaced}
    return Changes(after, upto, tuple(appended.values()), rewritten)


def _actions(storage: DeltaStorageHandler, version: int) -> Iterable[dict[str, dict[str, str]]]:
    with storage.open_input_file(f"_delta_log/{version:020d}.json") as file:
        content = bytes(file.read())
    return [json.loads(line) for line in content.splitlines() if line]


def _day(action: Mapping[str, object], column: str | None) -> date | None:
    values = action.get("partitionValues")
    value = values.get(column) if column and isinstance(values, dict) else None
    return date.fromisoformat(value) if value else None


def at_day(upstream: str, day: date) -> str:
    """The progress key of one day."""
    return f"{upstream}@{day.isoformat()}"


def made_from(upstream: str, version: int, first: date, last: date) -> dict[str, int]:
    """Progress of a table whose days ``first``..``last`` were made from ``version`` of ``upstream``."""
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return {at_day(upstream, day): version for day in days}


@dataclass(frozen=True)
class Progress:
    """How far ``table`` has taken in ``upstream``, as the table's own log has it."""

    table: DeltaTable | None
    upstream: str

    @classmethod
    def open(cls, lake: Lake, name: str, upstream: str) -> Self:
        """Progress of table ``name`` as it is now."""
        return cls(lake.open(name) if lake.exists(name) else None, upstream)

    @property
    def upto(self) -> int | None:
        """Version up to which all appended rows are taken in; None where nobody has followed yet."""
        return self.table.transaction_version(self.upstream) if self.table is not None else None

    def made(self, day: date) -> int | None:
        """Version that ``day`` was last written from; None where it never was."""
        return self.table.transaction_version(at_day(self.upstream, day)) if self.table is not None else None

    def of(self, day: date) -> int:
        """Version up to which the rows of ``day`` hold everything, -1 where nobody has looked yet."""
        known, upto = self.made(day), self.upto
        return max(-1 if known is None else known, -1 if upto is None else upto)


@dataclass(frozen=True)
class Advanced:
    """What bringing a table up to date took.

    Attributes
    ----------
    upto
        Version of the upstream table that is taken in now.
    rows_read, files_read
        New upstream rows and the files that they were in.
    rows
        Rows appended.
    rebuilt
        Days that were made anew, because rows of theirs had been replaced.
    """

    table: str
    upto: int
    rows_read: int = 0
    files_read: int = 0
    rows: int = 0
    rebuilt: tuple[date, ...] = ()


def first_look(progress: Progress, days: Iterable[date], upto: int) -> tuple[set[date], int]:
    """Where a table that has followed nobody yet begins: days to make, and the version to go on from.

    ``days`` are those of the upstream table; a day that was made from some version is only continued.
    """
    made = {day: progress.of(day) for day in days}
    return {day for day, version in made.items() if version < 0}, min(
        (version for version in made.values() if version >= 0), default=upto
    )


def not_taken_in(rows: pl.DataFrame, progress: Progress, day: str) -> pl.DataFrame:
    """Those of ``rows`` (with ``_version``) that are newer than what their ``day`` was made from."""
    days = rows[day].unique()
    known = pl.DataFrame(
        {day: days, "_made": [progress.of(one) for one in days]}, schema={day: pl.Date, "_made": pl.Int64}
    )
    joined = rows.join(known, on=day, how="left", maintain_order="left")
    return joined.filter(pl.col("_version") > pl.col("_made")).drop("_version", "_made")


def taken_in(upstream: str, upto: int, days: Iterable[date]) -> dict[str, int]:
    """Progress of a table that has taken in everything up to ``upto``, rows of ``days`` among it."""
    return {upstream: upto} | {at_day(upstream, day): upto for day in days}


def runs(days: Iterable[date]) -> list[tuple[date, date]]:
    """``days`` as first and last of stretches without a gap."""
    numbered = enumerate(sorted(set(days)))
    return [
        (stretch[0], stretch[-1])
        for _, group in groupby(numbered, lambda pair: pair[1].toordinal() - pair[0])
        if (stretch := [day for _, day in group])
    ]


def read_appended(
    lake: Lake,
    name: str,
    files: Iterable[Appended],
    columns: Sequence[str] | None = None,
    table: DeltaTable | None = None,
) -> pl.DataFrame:
    """Rows of ``files`` of table ``name``, with the commit that brought them as ``_version``.

    ``columns`` (all by default) that a file of an older schema lacks are null. ``table`` is the table,
    where the caller has opened it.
    """
    table = table or lake.open(name)
    schema = pl.DataFrame(pa.schema(table.schema().to_arrow()).empty_table()).schema
    kept = list(columns or schema)
    frames = [pl.DataFrame(schema={column: schema[column] for column in kept} | {"_version": pl.Int64()})]
    for file in files:
        rows = pl.read_parquet(
            file.uri, hive_partitioning=False, storage_options=dict(lake.storage_options) or None
        )
        told = {PARTITIONS[name]: pl.lit(file.day)} if name in PARTITIONS else {}
        absent = {column: pl.lit(None) for column in kept if column not in rows.columns}
        rows = rows.with_columns(**(absent | told))
        frames.append(
            rows.select(pl.col(column).cast(schema[column]) for column in kept).with_columns(
                pl.lit(file.version, dtype=pl.Int64).alias("_version")
            )
        )
    return pl.concat(frames)


def until_alone(write: Callable[[], _Result]) -> _Result:
    """What ``write`` gives, tried again from its beginning where another writer was there first."""
    for _ in range(ATTEMPTS - 1):
        try:
            return write()
        except ConcurrentWrite:
            continue
    return write()
