"""``reco simulate``: a realistic shop history, for a first look and for measurements."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from reco_assets.simulator.parameters import Parameters


def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to write events, products and users into.")],
    users: Annotated[int, typer.Option(help="Users of the whole history.", min=1)] = 2_000,
    products: Annotated[int, typer.Option(help="Products of the whole history.", min=32)] = 1_500,
    days: Annotated[int, typer.Option(help="Length of the history.", min=1)] = 30,
    seed: Annotated[int, typer.Option(help="The same seed makes the same history.", min=0)] = 0,
    end: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Last day, UTC.", show_default="yesterday"),
    ] = None,
    events: Annotated[
        int | None, typer.Option(help="Exact number of events, instead of --events-per-user-day.", min=1)
    ] = None,
    events_per_user_day: Annotated[
        float, typer.Option(help="Mean number of events of a user on a day.", min=0.0)
    ] = 5.0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier simulation in OUT.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write the history of a made-up shop: tastes, sessions, prices, stock, trends, new products.

    OUT gets events/<day>.parquet, products.parquet, users.parquet and manifest.json. The same options,
    --end included, write the same files.

    Examples:

    * `reco simulate data/landing`

    * `reco simulate --users 20000 --products 10000 --days 90 --seed 7 shop`

    * `reco simulate --users 100000 --products 50000 --events 10000000 shop --json`
    """
    from reco_assets.simulator import shop  # compiled code; `reco --help` should not wait for it

    last = end.date() if end is not None else datetime.now(UTC).date() - timedelta(days=1)
    parameters = Parameters(
        users=users,
        products=products,
        days=days,
        end=last,
        seed=seed,
        events=events,
        events_per_user_day=events_per_user_day,
    )
    started = time.perf_counter()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("events", total=parameters.total_events)
        counts = shop.simulate(
            parameters, out, overwrite=overwrite, progress=lambda written: bar.advance(task, written)
        )
    seconds = time.perf_counter() - started
    if as_json:
        typer.echo(json.dumps({"out": str(out), "seconds": round(seconds, 3), **asdict(counts)}))
        return
    table = Table(title=f"A shop in {out}", show_header=False)
    table.add_row("days", f"{counts.first_day} to {counts.last_day}")
    table.add_row("events", f"{counts.events:,} in {counts.sessions:,} sessions")
    for name, count in counts.events_by_type.items():
        table.add_row(f"  {name}", f"{count:,}")
    table.add_row("users", f"{counts.users:,}")
    table.add_row("products", f"{counts.products:,} in {counts.categories} categories")
    table.add_row("seconds", f"{seconds:.1f}")
    Console().print(table)
