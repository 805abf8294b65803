"""One decision out of ``raw/decisions``, for a process that must not load the lake.

Run as a module it reads a JSON list of settings (as JSON again), id and moment from its input, and writes
the record, or nothing where the lake has none.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from reco_assets.errors import MissingTable
from reco_assets.events.decision_rows import DECISIONS
from reco_assets.platform.lake import Lake, open_lake
from reco_assets.platform.settings import Settings

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: Visitors are answered on the same machine at the same time.
_NICE: Final = 10


def record_of(lake: Lake, recommendation_id: str, decided_us: int) -> bytes | None:
    """The record of a decision that was made at ``decided_us``, UTC microseconds; None where there is none.

    One day's files are looked at, of these what their statistics do not rule out, and two columns.
    """
    moment = _EPOCH + timedelta(microseconds=decided_us)
    try:
        table = lake.scan(DECISIONS)
    except MissingTable:
        return None  # nothing was ever brought in
    found = (
        table.filter(pl.col("decided_date") == moment.date())
        .filter(pl.col("decided_at") == moment)
        .filter(pl.col("recommendation_id") == recommendation_id)
        .select("record")
        .collect()
    )
    return bytes(found["record"][0]) if found.height else None


def _main() -> None:
    os.nice(_NICE)
    settings, recommendation_id, decided_us = json.load(sys.stdin)
    try:
        lake = open_lake(Settings.model_validate_json(settings))
        record = record_of(lake, recommendation_id, decided_us)
    except Exception as error:
        # whoever asks wants one line that says why
        sys.exit(" ".join(f"{type(error).__name__}: {error}".split()))
    sys.stdout.buffer.write(record or b"")


if __name__ == "__main__":
    _main()
