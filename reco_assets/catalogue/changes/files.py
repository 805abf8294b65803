"""Files of changes into ``raw/changes``, each file once.

JSON lines hold one message a line: what a Kafka topic of Debezium's or DMS' holds. CSV and Parquet are
the files that DMS writes to S3, with the names of the columns; they lie in folders named after their
tables, ``schema/table/...``, as DMS puts them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import polars as pl

from reco_assets.catalogue.changes.decode import Decoded, decode
from reco_assets.catalogue.changes.intake import Intake
from reco_assets.catalogue.changes.report import ChangeReport
from reco_assets.catalogue.changes.table import CHANGES, Reader
from reco_assets.catalogue.changes.tables import ENTITIES, MAPPING_FILE, Tables, tables_beside
from reco_assets.catalogue.ingest import read_table
from reco_assets.errors import BadInput
from reco_assets.events.adapters.compression import content_digest, plain_file
from reco_assets.events.adapters.parquet import as_json
from reco_assets.events.adapters.records import blocks
from reco_assets.events.contract import QUARANTINE
from reco_assets.events.landing import CHANGES_FOLDER, landing_files
from reco_assets.platform.lake import Lake

_MESSAGES: Final = (".jsonl", ".ndjson", ".json")
_ROWS: Final = (".csv", ".tsv", ".parquet")
#: Bytes, and rows, that are in work at once: a message is a few small objects of Python for a while.
_CHUNK_BYTES: Final = 4 << 20
_CHUNK_ROWS: Final = 20_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def import_changes(
    lake: Lake, paths: Sequence[Path], now: datetime, tables: Tables | None = None
) -> ChangeReport:
    """Import ``paths`` one after the other; what is imported already changes nothing.

    ``tables`` names the shop's tables; by default ``changes.json`` beside a file does. Files that are no
    changes are named in the report. Raises BadInput where a file cannot be read at all.
    """
    report = ChangeReport()
    for path in paths:
        if path.name == MAPPING_FILE:
            continue
        form = _form(path)
        if form is None:
            report += ChangeReport(skipped=(str(path),))
        else:
            report += _import(lake, path, form, now, tables or tables_beside(path)) + ChangeReport(files=1)
    return report


def import_changes_landing(lake: Lake, folder: Path, now: datetime) -> ChangeReport:
    """Import every file below a folder ``changes`` of the landing folder."""
    files = [path for path in landing_files(folder) if CHANGES_FOLDER in path.relative_to(folder).parts[:-1]]
    return import_changes(lake, files, now)


def _form(path: Path) -> str | None:
    endings = [ending for ending in path.suffixes if ending not in (".gz", ".zst")][-1:]
    return next((ending for ending in endings if ending in (*_MESSAGES, *_ROWS)), None)


def _import(lake: Lake, path: Path, form: str, now: datetime, tables: Tables) -> ChangeReport:
    table = "" if form in _MESSAGES else _table_of(path, tables)
    # the same bytes are other changes in the folder of another table
    delivery = f"file:changes:{table + ':' if table else ''}{content_digest(path)}"
    done = lake.progress(CHANGES, delivery)
    if done is not None:
        return ChangeReport(messages=done, known=done)
    intake = Intake(lake, now)
    if (done := intake.changes.transaction_version(delivery)) is not None:  # somebody else was faster
        return ChangeReport(messages=done, known=done)
    judged = _judged(lake, delivery)
    if form in _MESSAGES:
        reader = Reader("envelope", tables=tables.text)
        read = _messages(path, reader, now)
    else:
        micros = (now - _EPOCH) // timedelta(microseconds=1)
        reader = Reader("row", table, micros, tables.text)
        read = _rows(path, reader, now)
    for decoded in read:
        intake.take(delivery, decoded, reader, judged)
    intake.commit({delivery: intake.report.messages}, {delivery: intake.report.messages})
    return intake.report


def _judged(lake: Lake, delivery: str) -> pl.Series | None:
    """Positions of the delivery that an attempt which was cut short has put into quarantine."""
    if lake.progress(QUARANTINE, delivery) is None:
        return None
    rows = lake.scan(QUARANTINE).filter(pl.col("delivery") == delivery)
    return rows.select("delivery_position").collect().to_series()


def _messages(path: Path, reader: Reader, now: datetime) -> Iterator[Decoded]:
    with plain_file(path) as file:
        for whole in blocks(file, _CHUNK_BYTES, first=1, quoting=False):
            block = whole.where(whole.payload.bin.size() > 0)
            yield decode(block.payload.to_list(), block.positions.to_list(), reader, now)


def _rows(path: Path, reader: Reader, now: datetime) -> Iterator[Decoded]:
    rows = read_table(path)
    for first in range(0, rows.height, _CHUNK_ROWS):
        messages = as_json(rows.slice(first, _CHUNK_ROWS)).to_list()
        yield decode(messages, range(first + 1, first + 1 + len(messages)), reader, now)


def _table_of(path: Path, tables: Tables) -> str:
    """The table that a file of rows is of: by its folders, or by the beginning of its name."""
    folder, above = path.resolve().parent.name, path.resolve().parent.parent.name
    stem = path.name.partition(".")[0].rstrip("0123456789-_")
    for name in (f"{above}.{folder}", folder, stem):
        bare = name.rpartition(".")[2]
        if tables.given(name) or any(_same(bare, entity.tables) for entity in ENTITIES.values()):
            return name
    raise BadInput(
        f"reading {path}: neither its folder {folder} nor its name is a table of products, users or orders",
        hint=f"put it into a folder named after its table, or name the table in {MAPPING_FILE}",
    )


def _same(name: str, tables: frozenset[str]) -> bool:
    return name.lower().replace("_", "") in tables
