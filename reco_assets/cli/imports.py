"""``reco import`` and ``reco quarantine``: files into the lake, and what was wrong with some rows."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from reco_assets.catalogue.ingest import PRODUCTS, USERS, IngestReport, ingest_files
from reco_assets.errors import BadInput
from reco_assets.events import quarantine as quarantined
from reco_assets.events.adapters import Adapter
from reco_assets.events.adapters.csv import Csv, sample
from reco_assets.events.adapters.formats import adapter
from reco_assets.events.adapters.mapping import ColumnMapping, Guess, guess
from reco_assets.events.adapters.parquet import Parquet
from reco_assets.events.importer import import_files
from reco_assets.events.landing import DESCRIBING, landing_files
from reco_assets.events.report import ImportReport
from reco_assets.events.report import Progress as Told
from reco_assets.platform.lake import Lake, open_lake
from reco_assets.platform.settings import Settings

import_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Import event files; plain, .gz or .zst. Importing a file twice changes nothing.\n\n"
    "Examples:\n\n* `reco import rees46 2019-Oct.csv.gz`\n\n* `reco import csv shop.csv --yes`\n\n"
    "* `reco import csv log.csv --map user_id=uid,timestamp=ts --event-types view=click,buy=purchase`",
)
quarantine_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Bad events, kept with their bytes and every reason.\n\n"
    "Examples:\n\n* `reco quarantine list`\n\n* `reco quarantine replay`",
)

Paths = Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files, or folders of files.")]
Home = Annotated[Path | None, typer.Option(help="Folder of the lake [default: RECO_HOME, else data].")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Take the guessed mapping without asking.")]
Map = Annotated[str, typer.Option("--map", help="field=column,... e.g. user_id=uid,timestamp=ts")]
Types = Annotated[
    str, typer.Option("--event-types", help="value=type,... e.g. view=click; *=purchase for all.")
]

_err = Console(stderr=True)


@import_app.command("rees46")
def rees46(paths: Paths, home: Home = None, as_json: Json = False) -> None:
    """The REES46 multi-category shop log. E.g. `reco import rees46 2019-Oct.csv.gz`."""
    _import(paths, adapter("rees46"), home, as_json)


@import_app.command("tmall2014")
def tmall2014(paths: Paths, home: Home = None, as_json: Json = False) -> None:
    """The Tmall contest log of 2014. E.g. `reco import tmall2014 tmall.csv.gz`."""
    _import(paths, adapter("tmall2014"), home, as_json)


@import_app.command("online-retail")
def online_retail(paths: Paths, home: Home = None, as_json: Json = False) -> None:
    """UCI Online Retail order lines. E.g. `reco import online-retail retail.csv.gz`."""
    _import(paths, adapter("online-retail"), home, as_json)


@import_app.command("jsonl")
def jsonl(paths: Paths, home: Home = None, as_json: Json = False) -> None:
    """Events of the contract as JSON lines. E.g. `reco import jsonl events.jsonl.gz`."""
    _import(paths, adapter("jsonl"), home, as_json)


@import_app.command("parquet")
def parquet(paths: Paths, mapping: Map = "", home: Home = None, as_json: Json = False) -> None:
    """Events of the contract as Parquet, such as `reco simulate` writes. E.g. `reco import parquet OUT`."""
    _import(paths, Parquet(pairs(mapping, "--map")), home, as_json)


@import_app.command("csv")
def csv(
    paths: Paths,
    mapping: Map = "",
    event_types: Types = "",
    yes: Yes = False,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Any table of events; columns are given or guessed. E.g. `reco import csv log.csv --yes`."""
    found = understood(event_files(paths)[0], mapping, event_types)
    if not yes and any(why.startswith("by ") for _, _, why, _ in found.grounds):
        if not sys.stdin.isatty():
            raise BadInput("importing with guessed columns: nobody can be asked", hint="pass --yes or --map")
        typer.confirm("Import with these columns?", abort=True, err=True)
    _import(paths, Csv(found.mapping), home, as_json)


def understood(path: Path, mapping: str, event_types: str) -> Guess:
    """What the columns of ``path`` mean, given (as the options are) or guessed, and shown."""
    rows = sample(path)
    given = ColumnMapping(pairs(mapping, "--map"), pairs(event_types, "--event-types"))
    given.check_columns(rows.columns, str(path))
    found = guess(rows, given)
    _show_guess(found, path)
    found.mapping.check(rows.columns, str(path))
    return found


@import_app.command("products")
def products(paths: Paths, home: Home = None, as_json: Json = False) -> None:
    """Product attributes over time: CSV, JSON lines, Parquet. E.g. `reco import products products.csv`."""
    _print_ingest(
        ingest_files(_lake(home), PRODUCTS, expanded(paths), datetime.now(UTC)), "products", as_json
    )


@import_app.command("users")
def users(paths: Paths, home: Home = None, as_json: Json = False) -> None:
    """User attributes over time: CSV, JSON lines, Parquet. E.g. `reco import users users.csv`."""
    _print_ingest(ingest_files(_lake(home), USERS, expanded(paths), datetime.now(UTC)), "users", as_json)


@quarantine_app.command("list")
def list_quarantine(
    limit: Annotated[int, typer.Option(help="Rows to show after the summary.")] = 10,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """What is in quarantine and why. E.g. `reco quarantine list --limit 3`."""
    rows = quarantined.quarantined(_lake(home))
    counts = quarantined.summary(rows)
    shown = rows.head(limit).select(
        "delivery",
        "delivery_position",
        "reasons",
        pl.col("payload").map_elements(
            lambda raw: raw.decode("utf-8", errors="replace"), return_dtype=pl.String
        ),
    )
    if as_json:
        found = {"rows": rows.height, "summary": counts.to_dicts(), "examples": shown.to_dicts()}
        typer.echo(json.dumps(found))
        return
    _print("Quarantine", ("delivery", "reason", "rows"), [tuple(map(str, row)) for row in counts.iter_rows()])
    examples = [(f"{d} #{n}", "; ".join(why), text or "") for d, n, why, text in shown.iter_rows()]
    _print("Examples", ("row", "reasons", "as delivered"), examples)


@quarantine_app.command("replay")
def replay_quarantine(home: Home = None, as_json: Json = False) -> None:
    """Judge quarantined rows again, after a change of the contract. E.g. `reco quarantine replay`."""
    _print_report(quarantined.replay(_lake(home), datetime.now(UTC)), as_json)


def _import(paths: Sequence[Path], reads: Adapter, home: Path | None, as_json: bool) -> None:
    lake, now = _lake(home), datetime.now(UTC)
    files, describing = (
        event_files(paths),
        [path for path in expanded(paths) if path.name.startswith(DESCRIBING)],
    )
    with _progress_bar(len(files)) as told:
        report = import_files(lake, reads, files, now, told)
    for kind, name in ((PRODUCTS, "products"), (USERS, "users")):
        of_kind = [path for path in describing if path.name.startswith(name)]
        found = ingest_files(lake, kind, of_kind, now)
        if found.files:
            _err.print(
                f"{name}: {found.appended:,} observations, {found.known:,} known, {found.refused:,} refused"
            )
    _print_report(report, as_json)


def _lake(home: Path | None) -> Lake:
    settings = Settings() if home is None else Settings(home=home)
    return open_lake(settings)


def expanded(paths: Sequence[Path]) -> list[Path]:
    """The files that are named, and those in the folders; BadInput where one is not there."""
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise BadInput(f"importing {', '.join(missing)}: there is no such file", hint="check the path")
    return [file for path in paths for file in (landing_files(path) if path.is_dir() else [path])]


def event_files(paths: Sequence[Path]) -> list[Path]:
    """Files of events; in a folder, those of products and users are no events."""
    named = {path for path in paths if path.is_file()}
    files = [path for path in expanded(paths) if path in named or not path.name.startswith(DESCRIBING)]
    files = [path for path in files if path in named or path.suffix not in (".json", ".md")]
    if not files:
        raise BadInput(
            f"importing {', '.join(map(str, paths))}: there is no file in it", hint="check the path"
        )
    return files


def pairs(text: str, option: str) -> dict[str, str]:
    """``a=b,c=d`` as an option gives it; BadInput names what is no pair."""
    found = [part.partition("=") for part in text.split(",") if part.strip()]
    wrong = [left for left, equals, right in found if not (left.strip() and equals and right.strip())]
    if wrong:
        raise BadInput(f"reading {option}: {wrong[0]!r} is not name=value", hint=f"e.g. {option} a=b,c=d")
    return {left.strip(): right.strip() for left, _, right in found}


@contextmanager
def _progress_bar(files: int) -> Iterator[Told]:
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TimeElapsedColumn(),
        console=_err,
        transient=True,
    )
    with bar:
        task = bar.add_task("importing", total=files, rows=0)
        done: dict[Path, tuple[float, int]] = {}

        def told(path: Path, fraction: float, rows: int) -> None:
            done[path] = (fraction, rows)
            bar.update(
                task,
                description=path.name,
                completed=sum(part for part, _ in done.values()),
                rows=sum(count for _, count in done.values()),
            )

        yield told


def _show_guess(found: Guess, path: Path) -> None:
    table = Table("field", "column", "why", "example", title=f"Columns of {path.name}")
    for row in found.grounds:
        table.add_row(*row)
    _err.print(table)
    if found.mapping.event_types:
        types = ", ".join(f"{value} = {kind}" for value, kind in found.mapping.event_types.items())
        _err.print(f"event types: {types}")


def _print_report(report: ImportReport, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(report), default=str))
        return
    rows = [("rows", report.rows), ("accepted", report.accepted), ("duplicate", report.duplicates)]
    rows += [("quarantined", report.quarantined)]
    rows += [(f"  {reason}", count) for reason, count in report.reasons.items()]
    days = f" · {report.first_day} to {report.last_day}" if report.first_day else ""
    shown = [(name, f"{count:,}") for name, count in rows]
    _print(
        f"{report.files} file{'s' * (report.files != 1)}{days} · {report.seconds:.1f} s", ("", "rows"), shown
    )


def _print_ingest(report: IngestReport, what: str, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(report)))
        return
    rows = [
        ("rows", report.rows),
        ("appended", report.appended),
        ("known", report.known),
        ("refused", report.refused),
    ]
    _print(what, ("", "rows"), [(name, f"{count:,}") for name, count in rows])


def _print(title: str, header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    table = Table(*header, title=title, title_justify="left")
    if header[-1] == "rows":
        table.columns[-1].justify = "right"
    for row in rows:
        table.add_row(*row)
    Console().print(table)
