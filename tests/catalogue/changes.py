"""Builders of change data capture, so that a test reads as its own example."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from reco_assets.catalogue.changes.decode import Decoded, decode
from reco_assets.catalogue.changes.table import Reader
from reco_assets.catalogue.changes.tables import Tables
from reco_assets.platform.lake import Lake

NOW = datetime(2024, 6, 1, tzinfo=UTC)
GUESSED = Tables()

Row = dict[str, object]


def moment(text: str) -> datetime:
    """``"2024-05-01T12:03"``, UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def change(
    op: str,
    at: datetime | str,
    lsn: int | None = None,
    *,
    after: Mapping[str, object] | None = None,
    before: Mapping[str, object] | None = None,
    table: str = "products",
    source: Mapping[str, object] | None = None,
) -> Row:
    """One of Debezium's envelopes, of a PostgreSQL where ``lsn`` is given."""
    when = moment(at) if isinstance(at, str) else at
    place: Row = {} if lsn is None else {"lsn": lsn}
    told = {"connector": "postgresql", "name": "shop", "schema": "public", "table": table}
    told_at = {"ts_ms": int(when.timestamp() * 1000)}
    return {
        "op": op,
        "before": before,
        "after": after,
        "source": {**told, **told_at, **place, **(source or {})},
    }


def encoded(*messages: object) -> list[bytes]:
    """JSON, as a topic holds it; bytes are left as they are."""
    return [one if isinstance(one, bytes) else json.dumps(one).encode() for one in messages]


def read(*messages: object, tables: Tables = GUESSED, now: datetime = NOW) -> Decoded:
    """Messages as they are judged, the first at place 1."""
    found = encoded(*messages)
    return decode(found, range(1, len(found) + 1), Reader(tables=tables.text), now)


def raw_changes(messages: Sequence[object]) -> pl.DataFrame:
    """``raw/changes`` after ``messages``, without what only a delivery adds but the time."""
    return read(*messages).changes.with_columns(ingested_at=pl.lit(NOW).cast(pl.Datetime("us", "UTC")))


def forget_last_commit(lake: Lake, table: str) -> None:
    """Leave ``table`` as a process leaves it that dies just before its last commit."""
    max((Path(lake.uri(table)) / "_delta_log").glob("*.json")).unlink()
