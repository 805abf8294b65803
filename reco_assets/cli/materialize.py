"""``reco materialize``: run the asset graph over a range of days, as Dagster's own run."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer
from rich.console import Console

from reco_assets.cli.graph import run_graph
from reco_assets.errors import BadInput
from reco_assets.platform.settings import Settings


def materialize(
    first: Annotated[
        str | None, typer.Option("--from", help="First day [default: the first with events].")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", help="Last day [default: the last with events].")
    ] = None,
    select: Annotated[str, typer.Option(help="Assets, in Dagster's selection syntax.")] = "*",
    decisions: Annotated[
        int | None,
        typer.Option(
            min=100, help="Past decisions that a retraining learns from [default: as many as every night]."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Bring the asset graph up to date, from raw events to the online store.

    Examples:

    * `reco materialize`

    * `reco materialize --from 2026-05-01 --to 2026-05-03 --select "key:interactions+"`

    * `reco materialize --decisions 4000`
    """
    days = _day(first, "--from"), _day(last, "--to")
    written = run_graph(Settings(), *days, select, Console(stderr=True), decisions)
    if as_json:
        typer.echo(written.as_json())
    else:
        written.show(Console())


def _day(text: str | None, option: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadInput(f"{option}: {text!r} is not a day", hint="write it as 2026-05-01") from error
