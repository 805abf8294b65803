"""The landing folder: whatever event files lie in it are imported, each once.

Known are files in folders named after a format (``rees46/``, ``csv/``...), and Parquet or JSON lines
in a folder ``events``, as the simulator writes them, at any depth. A ``csv`` folder may hold
``mapping.json``: ``{"columns": {"user_id": "uid"}, "event_types": {"view": "click"}}``; what it leaves
open is guessed. Files of products and of users belong to the catalogue.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from reco_assets.errors import BadInput
from reco_assets.events.adapters import Adapter
from reco_assets.events.adapters.csv import guessed
from reco_assets.events.adapters.formats import FORMATS
from reco_assets.events.adapters.mapping import ColumnMapping
from reco_assets.events.importer import import_each
from reco_assets.events.report import ImportReport, Progress
from reco_assets.platform.lake import Lake

#: Files whose names begin so describe products and users; the catalogue reads them.
DESCRIBING: Final = ("products", "users")
#: What lies in a folder of this name are changes of a database's rows; the catalogue reads them too.
CHANGES_FOLDER: Final = "changes"
_MAPPING: Final = "mapping.json"
_MANIFEST: Final = "manifest.json"


def import_landing(lake: Lake, folder: Path, now: datetime, progress: Progress | None = None) -> ImportReport:
    """Import every event file in ``folder``, in the order of the names; no folder is no file.

    Files that nothing claims are named in the report's ``ignored``.
    """
    ignored: list[str] = []
    report = import_each(lake, _read_by(folder, ignored), now, progress)
    return replace(report, ignored=tuple(ignored))


def _read_by(folder: Path, ignored: list[str]) -> Iterator[tuple[Adapter, Path]]:
    """Event files of ``folder``, each with what reads it; what nothing reads goes to ``ignored``."""
    for path in landing_files(folder):
        if path.name.startswith(DESCRIBING) or path.name in (_MAPPING, _MANIFEST):
            continue
        if CHANGES_FOLDER in path.relative_to(folder).parts[:-1]:
            continue
        reads = _adapter_of(path, folder)
        if reads is None:
            ignored.append(str(path.relative_to(folder)))
        else:
            yield reads, path


def landing_files(folder: Path) -> list[Path]:
    """Files in ``folder`` and below, sorted; hidden and marker files (``.x``, ``_SUCCESS``) are left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    )


def _adapter_of(path: Path, folder: Path) -> Adapter | None:
    around = path.relative_to(folder).parts[:-1]
    for name in reversed(around):
        if name in FORMATS:
            return FORMATS[name]
        if name == "csv":
            return guessed(path, _mapping_beside(path))
    if around and around[-1] == "events":
        if path.suffix == ".parquet":
            return FORMATS["parquet"]
        if ".jsonl" in path.suffixes:
            return FORMATS["jsonl"]
    return None


def _mapping_beside(path: Path) -> ColumnMapping:
    file = path.parent / _MAPPING
    if not file.is_file():
        return ColumnMapping({})
    try:
        read = json.loads(file.read_text())
        return ColumnMapping(dict(read.get("columns", {})), dict(read.get("event_types", {})))
    except (ValueError, AttributeError, TypeError) as error:
        raise BadInput(
            f"reading {file}: {error}",
            hint='it holds {"columns": {field: column}, "event_types": {value: type}}',
        ) from error
