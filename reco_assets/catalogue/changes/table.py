"""``raw/changes``: every change of every row that is of interest, as delivered and as it was read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final, Literal, Self

import polars as pl

from reco_assets.catalogue.changes.tables import ENTITIES, Tables
from reco_assets.errors import BadInput

CHANGES: Final = "raw/changes"
#: Format that the ``reader`` of a quarantined change names.
FORMAT: Final = "changes"

_TIME: Final = pl.Datetime("us", "UTC")

#: Our columns of all entities; each row has those of its own.
ATTRIBUTES: Final[dict[str, pl.DataType]] = {
    name: dtype for entity in ENTITIES.values() for name, dtype in entity.attributes.items()
}

#: What a change is, before anything is known of how it was delivered.
CHANGE_SCHEMA: Final[dict[str, pl.DataType]] = {
    "delivery_position": pl.Int64(),
    "payload": pl.Binary(),
    "entity": pl.String(),  # products, users or orders
    "source_table": pl.String(),
    "key": pl.String(),  # the product's or user's id; the primary key of an order line
    "op": pl.String(),  # c, u, d or r (read by a snapshot)
    "log": pl.String(),  # positions are comparable within one log
    "log_position": pl.String(),  # sorts as the log is ordered
    "source_ts": _TIME,
    "said": pl.List(pl.String()),  # columns of which the row says something, be it null
    **ATTRIBUTES,
}

#: Columns of ``raw/changes``.
CHANGES_SCHEMA: Final[dict[str, pl.DataType]] = {
    "delivery": pl.String(),
    "ingested_at": _TIME,
    "ingest_date": pl.Date(),
    **CHANGE_SCHEMA,
}


@dataclass(frozen=True)
class Reader:
    """How messages are read, and read again when they come out of quarantine.

    Attributes
    ----------
    form
        ``envelope`` where each message is one, ``row`` for rows of files that DMS wrote.
    table
        The table that a file of rows is of.
    read_us
        The time of rows that have none, UTC microseconds.
    tables
        What ``changes.json`` said.
    """

    form: Literal["envelope", "row"] = "envelope"
    table: str = ""
    read_us: int = 0
    tables: str = "{}"

    @property
    def mapping(self) -> Tables:
        """The tables and their columns."""
        return Tables(self.tables)

    def text(self) -> str:
        """What ``raw/quarantine`` keeps of it."""
        return json.dumps({"format": FORMAT, **asdict(self)})

    @classmethod
    def of(cls, text: str) -> Self:
        """The reader that :meth:`text` wrote."""
        told: Mapping[str, object] = json.loads(text)
        try:
            return cls(**{name: value for name, value in told.items() if name != "format"})  # type: ignore[arg-type]
        except TypeError as error:
            raise BadInput(
                f"replaying quarantined changes: {error}", hint="they were written by another version"
            ) from error
