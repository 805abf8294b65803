"""``reco changes``: what a shop's own database did to its products, users and orders."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from reco_assets.catalogue.changes.drain import MOST, drain_all_changes
from reco_assets.catalogue.changes.files import import_changes
from reco_assets.catalogue.changes.replay import replay_changes
from reco_assets.catalogue.changes.report import ChangeReport
from reco_assets.catalogue.changes.tables import Tables
from reco_assets.errors import BadInput
from reco_assets.events.landing import landing_files
from reco_assets.platform.lake import open_lake
from reco_assets.platform.settings import Settings
from reco_assets.platform.streams.open import open_stream

changes_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Change data capture: envelopes of Debezium and AWS DMS. Reading twice changes nothing.\n\n"
    "Examples:\n\n* `reco changes import changes.jsonl.gz`\n\n* `reco changes drain shop.public.products`",
)

Home = Annotated[Path | None, typer.Option(help="Folder of the lake [default: RECO_HOME, else data].")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")]
TablesFile = Annotated[
    Path | None,
    typer.Option("--tables", help="changes.json: what the tables are [default: that beside a file]."),
]


@changes_app.command("import")
def import_(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files, or folders of files.")],
    tables: TablesFile = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """JSON lines of envelopes, or CSV and Parquet files of DMS. E.g. `reco changes import changes.jsonl`."""
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise BadInput(f"importing {', '.join(missing)}: there is no such file", hint="check the path")
    files = [file for path in paths for file in (landing_files(path) if path.is_dir() else [path])]
    _print(import_changes(open_lake(_settings(home)), files, datetime.now(UTC), _tables(tables)), as_json)


@changes_app.command("drain")
def drain(
    streams: Annotated[
        list[str],
        typer.Argument(metavar="STREAM...", help="Kafka topics, Kinesis or Redis streams, see RECO_STREAM."),
    ],
    tables: TablesFile = None,
    most: Annotated[int, typer.Option(help="Records of a partition in one commit.", min=1)] = MOST,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Read streams of envelopes to their ends. E.g. `reco changes drain shop.public.products`."""
    settings, report = _settings(home), ChangeReport()
    named = _tables(tables) or Tables()
    for name in streams:
        with closing(open_stream(settings, name)) as stream:
            report += drain_all_changes(open_lake(settings), stream, lambda: datetime.now(UTC), most, named)
    _print(report, as_json)


@changes_app.command("replay")
def replay(tables: TablesFile = None, home: Home = None, as_json: Json = False) -> None:
    """Judge quarantined changes again, after a change of changes.json. E.g. `reco changes replay`."""
    _print(replay_changes(open_lake(_settings(home)), datetime.now(UTC), _tables(tables)), as_json)


def _settings(home: Path | None) -> Settings:
    return Settings() if home is None else Settings(home=home)


def _tables(file: Path | None) -> Tables | None:
    return None if file is None else Tables(file.read_text(encoding="utf-8"))


def _print(report: ChangeReport, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(report)))
        return
    rows = [("messages", report.messages), ("changes", report.changes), ("known", report.known)]
    rows += [("ignored (tombstones, control records)", report.ignored)]
    rows += [(f"of no interest: {table}", count) for table, count in report.unknown.items()]
    rows += [("quarantined", report.quarantined)]
    rows += [(f"  {reason}", count) for reason, count in report.reasons.items()]
    rows += [("purchase events made", report.purchases)]
    rows += [(f"  no purchase: {reason}", count) for reason, count in report.refused.items()]
    table = Table("", "rows", title=f"{report.files} file{'s' * (report.files != 1)}", title_justify="left")
    table.columns[-1].justify = "right"
    for name, count in rows:
        table.add_row(name, f"{count:,}")
    console = Console()
    console.print(table)
    for path in report.skipped:
        console.print(f"left alone, its ending says no format: {path}")
