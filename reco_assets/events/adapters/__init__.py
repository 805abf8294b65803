"""What every file format owes the importer; one module a format beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import polars as pl

#: Columns that an adapter may add to an event: what the row says of its product and of its user.
#: ``list_price`` is the product's price where that is not the price of the event.
DESCRIPTIONS: Final = ("title", "category", "brand", "list_price", "country", "segment")

#: Bytes of text, and rows of a columnar file, that are in work at once: what bounds the memory.
CHUNK_BYTES: Final = 32 << 20
CHUNK_ROWS: Final = 250_000


@dataclass(frozen=True)
class Batch:
    """Some rows of a file, in file order.

    Attributes
    ----------
    rows
        ``delivery_position`` (1-based row of the file, the header not counted), ``payload`` (the
        bytes; null in a columnar file), ``reasons`` (``list[str]``, what is wrong already; null or
        empty where nothing is), any of the contract's columns as text or typed, and any of
        ``DESCRIPTIONS``.
    reader
        JSON that tells :func:`~reco_assets.events.adapters.formats.reread` how to read a payload again.
    fraction
        How much of the file is read, from 0 to 1.
    """

    rows: pl.DataFrame
    reader: str
    fraction: float


class Adapter(Protocol):
    """Reads one file format."""

    @property
    def name(self) -> str:
        """The format's name, part of every delivery id."""
        ...

    @property
    def own_ids(self) -> bool:
        """Whether event ids come from the file, so that one may stand there twice.

        Derived ids hold the row's position and cannot.
        """
        ...

    @property
    def observes_prices(self) -> bool:
        """Whether the ``price`` of an event is the product's price at that moment."""
        ...

    def digest(self, path: Path) -> str:
        """16 hex digits of the file's content; the same content is the same delivery."""
        ...

    def batches(self, path: Path) -> Iterator[Batch]:
        """The rows of ``path``; raises BadInput where it cannot be read at all."""
        ...
