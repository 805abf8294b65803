"""Writes a simulated shop to a folder: events by day, products, users, and a manifest when all is there."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from reco_assets.errors import BadInput, MissingDependency
from reco_assets.events.contract import EVENT_TYPES
from reco_assets.simulator.catalogue import product_observations, user_observations
from reco_assets.simulator.history import Day, history
from reco_assets.simulator.parameters import Parameters
from reco_assets.simulator.schedule import schedule
from reco_assets.simulator.translation import ARROW_SCHEMA, Translator, queries
from reco_assets.simulator.world import world

MANIFEST: Final = "manifest.json"
#: Rows that are text at one time; the rest of a day is compact, 26 bytes an event.
_ROW_GROUP: Final = 500_000


@dataclass(frozen=True)
class Counts:
    """What a simulated history holds."""

    events: int
    events_by_type: dict[str, int]
    sessions: int
    first_day: str
    last_day: str
    users: int
    products: int
    categories: int
    product_observations: int


def simulate(
    parameters: Parameters,
    out: Path,
    *,
    overwrite: bool = False,
    progress: Callable[[int], None] = lambda events: None,
) -> Counts:
    """Write the shop that ``parameters`` describe into ``out``; what it holds.

    ``events/<day>.parquet`` in the event contract, sorted by time; ``products.parquet`` and
    ``users.parquet``, rows of observations; ``manifest.json`` with parameters and counts, written last,
    so that a folder without it is not complete. Memory follows the largest day, about 80 bytes an event.

    Parameters
    ----------
    overwrite
        Replace an earlier simulation in ``out``; otherwise it raises BadInput.
    progress
        Called with the number of events of each day that has been written.

    Raises
    ------
    BadInput
        ``out`` holds a simulation already, or is not a folder.
    MissingDependency
        The disk is full or not writable.
    """
    _prepare(out, overwrite)
    try:
        return _write(parameters, out, progress)
    except OSError as error:
        raise MissingDependency(
            f"writing the simulated shop to {out}: {error}", hint="free disk space or choose another folder"
        ) from error


def _prepare(out: Path, overwrite: bool) -> None:
    if out.exists() and not out.is_dir():
        raise BadInput(f"simulating into {out}: it is a file", hint="name a folder")
    tables = [out / "products.parquet", out / "users.parquet"]
    earlier = [out / MANIFEST, *tables, *sorted((out / "events").glob("*.parquet*"))]
    present = [path for path in earlier if path.exists()]
    if present and not overwrite:
        raise BadInput(
            f"simulating into {out}: it holds a simulation already ({present[0].name})",
            hint="choose another folder or pass --overwrite",
        )
    for path in present:
        path.unlink()


def _write(parameters: Parameters, out: Path, progress: Callable[[int], None]) -> Counts:
    (out / "events").mkdir(parents=True, exist_ok=True)
    hidden = world(parameters)
    happenings = schedule(parameters, hidden.products)
    products = product_observations(hidden, happenings)
    _write_frame(products, out / "products.parquet")
    _write_frame(user_observations(hidden), out / "users.parquet")

    translator = Translator(hidden, queries(hidden))
    kinds = np.zeros(len(EVENT_TYPES), np.int64)
    sessions = 0
    with ThreadPoolExecutor(1) as pool:  # one day is written while the next is played
        writing: Future[int] | None = None
        for day in history(hidden, happenings):
            kinds += np.bincount(day.events["kind"], minlength=len(kinds))
            sessions += day.sessions
            if writing is not None:
                progress(writing.result())
            path = out / "events" / f"{parameters.day(day.index).isoformat()}.parquet"
            writing = pool.submit(_write_day, translator, day, path)
        if writing is not None:
            progress(writing.result())

    by_type = {name: count for name, count in zip(EVENT_TYPES, kinds.tolist(), strict=True) if count}
    counts = Counts(
        events=int(kinds.sum()),
        events_by_type=by_type,
        sessions=sessions,
        first_day=parameters.first_day.isoformat(),
        last_day=parameters.end.isoformat(),
        users=parameters.users,
        products=parameters.products,
        categories=len(hidden.leaves),
        product_observations=len(products),
    )
    described = {"parameters": dataclasses.asdict(parameters), "counts": dataclasses.asdict(counts)}
    partial = out / f"{MANIFEST}.partial"
    partial.write_text(json.dumps(described, indent=2, default=str) + "\n")
    partial.replace(out / MANIFEST)
    return counts


def _write_day(translator: Translator, day: Day, path: Path) -> int:
    partial = path.with_suffix(".parquet.partial")
    with pq.ParquetWriter(
        partial,
        ARROW_SCHEMA,
        compression="zstd",
        compression_level=1,
        use_dictionary=["user_id", "session_id", "event_type", "product_id", "query", "source"],
    ) as writer:
        for first in range(0, len(day.events), _ROW_GROUP):
            last = min(first + _ROW_GROUP, len(day.events))
            writer.write_table(translator.table(day, first, last))
    partial.replace(path)
    return len(day.events)


def _write_frame(frame: pl.DataFrame, path: Path) -> None:
    frame.write_parquet(path, compression="zstd", compression_level=1)
