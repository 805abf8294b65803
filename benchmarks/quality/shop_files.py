"""A shop's own files: what they hold of a stretch of time, and all of their events at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import polars as pl

from reco_assets.catalogue.ingest import PRODUCTS, USERS, Kind, observations, read_table
from reco_assets.cli.imports import event_files, expanded, pairs, understood
from reco_assets.errors import BadInput
from reco_assets.events.adapters import Adapter, Batch
from reco_assets.events.adapters.csv import Csv
from reco_assets.events.adapters.formats import FORMATS
from reco_assets.events.adapters.parquet import Parquet
from reco_assets.events.landing import DESCRIBING
from reco_assets.events.validate import validate
from reco_assets.events.values import as_time
from reco_assets.interactions.log import LOGGED

#: Formats that ``--format`` may name.
NAMED: Final = (*FORMATS, "csv")
#: What the sources of lines without a person end with: a basket, but nobody's history.
_GUEST: Final = ":guest"

#: A product event a row, in the order of time: what the questions are made of.
LOG_SCHEMA: Final[dict[str, pl.DataType]] = {
    "user_id": pl.String(),
    "session_id": pl.String(),
    "event_type": pl.String(),
    "product_id": pl.String(),
    "timestamp": pl.Datetime("us", "UTC"),
}


@dataclass(frozen=True)
class Within:
    """Another adapter's rows of ``[first, last)`` (UTC microseconds); what has no readable time stays in.

    A part of a file is a delivery of its own, so the parts of a file can be imported one after the other.
    """

    inner: Adapter
    first: int
    last: int

    @property
    def name(self) -> str:
        """The format's name."""
        return self.inner.name

    @property
    def own_ids(self) -> bool:
        """As in the whole file."""
        return self.inner.own_ids

    @property
    def observes_prices(self) -> bool:
        """As in the whole file."""
        return self.inner.observes_prices

    def digest(self, path: Path) -> str:
        """Of the file and of the stretch."""
        return f"{self.inner.digest(path)}:{self.first}:{self.last}"

    def batches(self, path: Path) -> Iterator[Batch]:
        """The batches of the file without the rows of other times."""
        for batch in self.inner.batches(path):
            time = as_time(batch.rows["timestamp"]).dt.timestamp("us")
            unreadable = time.is_null() if self.first <= 0 else pl.repeat(False, len(time), eager=True)
            kept = ((time >= self.first) & (time < self.last)).fill_null(False) | unreadable
            yield Batch(batch.rows.filter(kept), batch.reader, batch.fraction)


@dataclass(frozen=True)
class ShopFiles:
    """The files of one shop.

    Attributes
    ----------
    reads
        How the files of events are read.
    describing
        Files of products and of users.
    """

    reads: Adapter
    events: tuple[Path, ...]
    describing: tuple[Path, ...]

    def observed(
        self, first: int, last: int, progress: Callable[[str], None]
    ) -> Iterator[tuple[str, Kind, pl.DataFrame]]:
        """What the describing files say of products and users within ``[first, last)``, file by file.

        A row that does not say when it was so may be of the test period, and is left out.
        """
        never = datetime.fromisoformat("9999-12-31T00:00:00+00:00")
        for path in self.describing:
            kind = PRODUCTS if path.name.startswith("products") else USERS
            rows = observations(read_table(path), kind, never, str(path))
            timeless = rows.filter(pl.col("observed_at") == never).height
            if timeless:
                progress(f"{path.name}: {timeless:,} rows without a time are left out")
            time = pl.col("observed_at").dt.timestamp("us")
            yield path.name, kind, rows.filter(time >= first, time < last)


def open_files(paths: Sequence[Path], form: str, mapping: str = "", event_types: str = "") -> ShopFiles:
    """The files of ``paths`` as ``reco import`` would read them; a CSV file's columns may be guessed.

    Raises BadInput where there is no such file, format or column.
    """
    files = event_files(paths)
    if form == "csv":
        reads: Adapter = Csv(understood(files[0], mapping, event_types).mapping)
    elif form == "parquet":
        reads = Parquet(pairs(mapping, "--map"))
    else:
        if mapping or event_types:
            raise BadInput(
                f"reading {files[0]} as {form}: this format has columns of its own",
                hint="--map and --event-types go with --format csv",
            )
        reads = FORMATS[form]
    described = [path for path in expanded(paths) if path.name.startswith(DESCRIBING) and path not in files]
    return ShopFiles(reads, tuple(files), tuple(described))


def read_log(files: ShopFiles, now: datetime, progress: Callable[[str], None]) -> pl.DataFrame:
    """Every accepted product event of a person, rows of ``LOG_SCHEMA`` in the order of time.

    They are judged as the import judges them. An event whose id stands there twice counts once.

    Raises BadInput where there is none, with the reasons why rows were refused.
    """
    kinds = [kind.name for kind in LOGGED]
    parts: list[pl.DataFrame] = []
    reasons: Counter[str] = Counter()
    for path in files.events:
        progress(f"reading {path.name}")
        for batch in files.reads.batches(path):
            verdict = validate(batch.rows, now)
            reasons.update(verdict.rejected["reasons"].explode().drop_nulls().to_list())
            wanted = pl.col("event_type").is_in(kinds) & pl.col("product_id").is_not_null()
            person = ~pl.col("source").str.ends_with(_GUEST).fill_null(False)
            parts.append(verdict.accepted.filter(wanted, person).select("event_id", *LOG_SCHEMA))
    if not sum(part.height for part in parts):
        why = "; ".join(f"{reason} ({rows:,} rows)" for reason, rows in reasons.most_common(3))
        raise BadInput(
            f"reading {', '.join(path.name for path in files.events)}: there is no event of a person "
            f"with a product in it{': ' + why if why else ''}",
            hint="name the columns by --map and the types by --event-types, or choose another --format",
        )
    rows = pl.concat(parts)
    if files.reads.own_ids:
        rows = rows.unique("event_id", keep="first", maintain_order=True)
    return rows.select(list(LOG_SCHEMA)).sort("timestamp", maintain_order=True)
