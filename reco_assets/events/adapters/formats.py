"""Every file format by its name, and how a quarantined payload is read again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

import polars as pl

from reco_assets.errors import BadInput
from reco_assets.events.adapters import Adapter, online_retail, rees46, tmall2014
from reco_assets.events.adapters.csv import Csv
from reco_assets.events.adapters.delimited import Delimited
from reco_assets.events.adapters.fields import Layout
from reco_assets.events.adapters.jsonl import JsonLines, with_ids
from reco_assets.events.adapters.mapping import ColumnMapping
from reco_assets.events.adapters.parquet import Parquet
from reco_assets.events.adapters.records import Block
from reco_assets.events.wire import json_rows

_FIXED: Final[Mapping[str, Delimited]] = {
    one.name: one for one in (rees46.ADAPTER, tmall2014.ADAPTER, online_retail.ADAPTER)
}

#: Formats that need no mapping.
FORMATS: Final[Mapping[str, Adapter]] = {**_FIXED, "parquet": Parquet(), "jsonl": JsonLines()}


def adapter(name: str) -> Adapter:
    """The adapter of format ``name``; raises BadInput naming the known ones."""
    if name not in FORMATS:
        raise BadInput(f"there is no format {name}", hint=f"the formats are {', '.join(FORMATS)} and csv")
    return FORMATS[name]


def reread(reader: str, payload: pl.Series, positions: pl.Series) -> pl.DataFrame:
    """Rows as an adapter's batch has them, from quarantined payloads and the ``reader`` kept with them."""
    how = json.loads(reader)
    kind: str = how["format"]
    if kind in ("json", "jsonl"):
        rows = json_rows(payload.to_list()).with_columns(positions)
        return with_ids(rows) if kind == "jsonl" else rows
    quoted = payload.bin.contains(b'"')
    block = Block(positions.rename("delivery_position"), payload, quoted, ended=True)
    if kind == "csv":
        layout = Layout(tuple(how["header"]), how["separator"], pad=True)
        return Csv(ColumnMapping(how["columns"], how["event_types"])).read(block, layout)
    if kind in _FIXED:
        return _FIXED[kind].read(block, Layout(tuple(how["header"])))
    raise BadInput(
        f"replaying quarantine: there is no format {kind}", hint="it was written by another version"
    )
