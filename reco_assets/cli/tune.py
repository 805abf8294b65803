"""``reco tune``: better hyper-parameters for the ranker, within a given time."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from reco_assets.errors import BadInput
from reco_assets.platform.lake import open_lake
from reco_assets.platform.settings import Settings
from reco_assets.ranking.examples_table import examples_of
from reco_assets.ranking.parameters import read_parameters, write_parameters
from reco_assets.ranking.search import Attempt, best, search

_EXAMPLES = "gold/training_examples"
#: Attempts that the table shows.
_SHOWN = 10


def tune(
    minutes: Annotated[float, typer.Option(min=0.01, help="How long to look, at the most.")] = 10.0,
    seed: Annotated[int, typer.Option(help="Of the random draws.")] = 7,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Look, and write nothing.")] = False,
    home: Annotated[
        Path | None, typer.Option(help="Folder of the lake [default: RECO_HOME, else data].")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of a table.")
    ] = False,
) -> None:
    """Search the ranker's hyper-parameters on the examples of the last retraining.

    Random parameters are tried until the time is over; the validation decisions judge, the held-out day has
    no part in it. The best are written to RECO_RANKER (default `<home>/ranker.toml`), which every later
    retraining reads. E.g. `reco tune --minutes 5`, then `reco materialize`.
    """
    settings = Settings() if home is None else Settings(home=home)
    lake = open_lake(settings)
    if not lake.exists(_EXAMPLES):
        raise BadInput("tuning the ranker: there are no training examples", hint="run: reco materialize")
    table = lake.scan(_EXAMPLES)
    train, held = examples_of(table, "train"), examples_of(table, "validation")
    start = read_parameters(settings.ranker_file)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(),
        console=Console(stderr=True), transient=True,
    ) as progress:  # fmt: skip
        task = progress.add_task("tuning", total=minutes * 60.0)

        def told(attempt: Attempt) -> None:
            progress.update(task, advance=attempt.seconds, description=f"ndcg@10 {attempt.ndcg:.4f}")

        attempts = search(train, held, start, minutes * 60.0, settings.threads, seed, told)
    winner = best(attempts)
    better = winner.ndcg > attempts[0].ndcg
    if better and not dry_run:
        why = f"found by reco tune in {len(attempts)} attempts: validation NDCG@10 {winner.ndcg:.4f}"
        write_parameters(settings.ranker_file, winner.parameters, f"{why}, before {attempts[0].ndcg:.4f}")
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "attempts": [asdict(one) for one in attempts],
                    "best": asdict(winner),
                    "written": str(settings.ranker_file) if better and not dry_run else None,
                }
            )
        )
        return
    _show(attempts, winner, better, settings.ranker_file, dry_run)


def _show(attempts: list[Attempt], winner: Attempt, better: bool, path: Path, dry_run: bool) -> None:
    table = Table("ndcg@10", "trees", "seconds", "changed", title=f"{len(attempts)} attempts")
    first = asdict(attempts[0].parameters)
    for one in sorted(attempts, key=lambda one: -one.ndcg)[:_SHOWN]:
        changed = {name: value for name, value in asdict(one.parameters).items() if value != first[name]}
        said = ", ".join(f"{name} {value}" for name, value in changed.items()) or "what is used now"
        table.add_row(f"{one.ndcg:.4f}", str(one.trees), f"{one.seconds:.1f}", said)
    console = Console()
    console.print(table)
    if not better:
        console.print("nothing was better than what is used now; nothing was written")
    elif dry_run:
        console.print(f"the best would be written to {path}")
    else:
        console.print(f"the best is in {path}: validation NDCG@10 {winner.ndcg:.4f}. Next: reco materialize")
