"""Files read and judged one step ahead of whoever writes them into the lake."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

import polars as pl

from reco_assets.events.adapters import Adapter, Batch
from reco_assets.events.contract import EVENTS, QUARANTINE
from reco_assets.events.duplicates import InFile
from reco_assets.events.validate import Validated, validate
from reco_assets.platform.lake import Lake

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_END: Final = object()

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Delivery:
    """One file as a delivery.

    Attributes
    ----------
    name
        Its format and its content, as :func:`delivery_of` has it.
    rows
        How many rows it has, where it is in the lake already; else None.
    now
        The clock that its events are judged by.
    """

    adapter: Adapter
    path: Path
    name: str
    rows: int | None
    now: datetime

    @property
    def clock(self) -> dict[str, int]:
        """The progress that keeps :attr:`now` for an attempt that has to begin again."""
        return {_clock(self.name): (self.now - _EPOCH) // _MICROSECOND}


@dataclass(frozen=True)
class Judged:
    """A batch of a delivery, and which of its rows the contract accepts.

    Attributes
    ----------
    again
        ``bool`` for each accepted row: the file has its ``event_id`` further up already.
    """

    batch: Batch
    verdict: Validated
    again: pl.Series


def delivery_of(adapter: Adapter, path: Path) -> str:
    """Name of the delivery that ``path`` is: its format and its content."""
    return f"file:{adapter.name}:{adapter.digest(path)}"


def read_judged(
    lake: Lake, files: Iterable[tuple[Adapter, Path]], now: datetime
) -> Iterator[tuple[Delivery, Judged | None]]:
    """The batches of each of ``files`` with verdicts, and None when a file has ended.

    A delivery that is in the lake already has no batches. Raises BadInput.
    """
    for adapter, path in files:
        name = delivery_of(adapter, path)
        rows = lake.progress(EVENTS, name)
        # An earlier attempt may have judged this file: with its clock the verdicts are the same again.
        clock = lake.progress(QUARANTINE, _clock(name)) if rows is None else None
        judged_at = now if clock is None else _EPOCH + clock * _MICROSECOND
        delivery = Delivery(adapter, path, name, rows, judged_at)
        if rows is None:
            repeats = InFile() if adapter.own_ids else None
            for batch in adapter.batches(path):
                verdict = validate(batch.rows, judged_at)
                ids = verdict.accepted["event_id"]
                yield delivery, Judged(batch, verdict, repeats.of(ids) if repeats else ids.is_null())
        yield delivery, None


def ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    """``items``, each made in a thread while the caller works on the one before; errors come in order."""
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        coming = pool.submit(next, items, _END)
        while (item := coming.result()) is not _END:
            coming = pool.submit(next, items, _END)
            yield item  # type: ignore[misc]  # whatever is not the end is an item


def _clock(delivery: str) -> str:
    return f"{delivery}:clock"
