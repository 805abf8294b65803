"""Running the asset graph from the command line: one Dagster run, a bar of its steps, what it wrote."""

from __future__ import annotations

import json
import os
import shutil
import time
import warnings
from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from reco_assets.errors import BadInput, MissingTable, RecoError
from reco_assets.platform.lake import PARTITIONS, Lake, open_lake
from reco_assets.platform.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

_CHECKOUT: Final = Path(__file__).parents[2]
#: The assets that are told how many decisions to look at.
_TRAINING: Final = ("training_examples", "ranker", "evaluation")
#: Fewer decisions than this judge nothing.
_FEWEST: Final = 100


class RunFailed(RecoError):
    """A Dagster run ended without success."""


@dataclass(frozen=True)
class TableVersion:
    """One lake table as it stands."""

    name: str
    rows: int
    version: int


@dataclass(frozen=True)
class GraphRun:
    """One run of the graph: which days, how long (in all and by step), and the lake after it."""

    run_id: str
    first: date
    last: date
    seconds: float
    steps: Mapping[str, float]
    tables: tuple[TableVersion, ...]

    def as_json(self) -> str:
        """The run as one JSON object."""
        return json.dumps(
            {
                "run_id": self.run_id,
                "first": self.first.isoformat(),
                "last": self.last.isoformat(),
                "seconds": round(self.seconds, 1),
                "steps": {name: round(seconds, 2) for name, seconds in self.steps.items()},
                "tables": {t.name: {"rows": t.rows, "version": t.version} for t in self.tables},
            }
        )

    def show(self, console: Console) -> None:
        """The run as a table for a person."""
        table = Table(title=f"{self.first} to {self.last}, {self.seconds:.0f} s", title_justify="left")
        table.add_column("table")
        table.add_column("rows", justify="right")
        table.add_column("Delta version", justify="right")
        for one in self.tables:
            table.add_row(one.name, f"{one.rows:,}", str(one.version))
        console.print(table)


def lake_tables(lake: Lake) -> tuple[TableVersion, ...]:
    """Every table that exists, with its rows (from the log) and Delta version."""
    found = []
    silver = ("silver/products", "silver/users", "silver/orders")
    names = [*PARTITIONS, "raw/attributes", "raw/catalogue", "raw/users", *silver]
    for name in sorted(names, key=lambda name: (("raw", "silver", "gold").index(name.split("/")[0]), name)):
        if lake.exists(name):
            found.append(TableVersion(name, lake.rows(name), lake.open(name).version()))
    return tuple(found)


def run_graph(
    settings: Settings,
    first: date | None,
    last: date | None,
    select: str,
    console: Console,
    decisions: int | None = None,
) -> GraphRun:
    """Import what has landed, here or in the bucket, then materialize ``select`` over the days.

    A retraining learns from ``decisions`` past decisions, and a tenth as many judge it; by default as
    many as every night.

    Raises
    ------
    BadInput
        There are no events, a day is no partition, or the selection names nothing.
    RunFailed
        A step failed; the message names it and its reason.
    """
    from reco_assets.catalogue.changes.files import import_changes_landing
    from reco_assets.events.landing import import_landing
    from reco_assets.events.s3 import bring_landing, s3_client

    _open_dagster_home()
    lake = open_lake(settings)
    bring_landing(settings, lambda: s3_client(settings))
    import_landing(lake, settings.landing_folder, datetime.now(UTC))
    import_changes_landing(lake, settings.landing_folder, datetime.now(UTC))
    days = _event_days(lake, settings.landing_folder)
    if lake.remote and settings.first_day is None:
        # the definitions do not ask an object store while they load
        os.environ["RECO_FIRST_DAY"] = days[0].isoformat()
    low, high = _range(first, last, days)
    begun = time.monotonic()
    run_id, steps = _execute(low, high, select, console, decisions)
    return GraphRun(run_id, low, high, time.monotonic() - begun, steps, lake_tables(lake))


def _open_dagster_home() -> None:
    """A Dagster home that was never used gets the project's own settings."""
    home = Path(os.environ.setdefault("DAGSTER_HOME", str(_CHECKOUT / "dagster_home")))
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        shutil.copy(_CHECKOUT / "dagster_home" / "dagster.yaml", home)


def _event_days(lake: Lake, landing: Path) -> tuple[date, date]:
    try:
        span = lake.span("raw/events")
    except MissingTable:
        span = None
    if span is None:
        raise BadInput(
            "materializing: there are no events yet",
            hint=f"reco simulate {landing}, or reco import FORMAT FILE",
        )
    return span


def _range(first: date | None, last: date | None, held: tuple[date, date]) -> tuple[date, date]:
    """The days to run: those asked for, else the partitions among the days with events."""
    # the partitions begin at the lake's first day, so they are loaded once it has one
    from reco_assets.platform.resources import DAILY

    partitions = DAILY.get_partition_keys()
    lowest, highest = date.fromisoformat(partitions[0]), date.fromisoformat(partitions[-1])
    low, high = first or max(held[0], lowest), last or min(held[1], highest)
    if low > high:
        raise BadInput(f"--from {low} is after --to {high}", hint="give the earlier day first")
    if low < lowest or high > highest:
        raise BadInput(
            f"materializing {low} to {high}: the days that can be run are {lowest} to {highest}",
            hint=f"events are there from {held[0]} to {held[1]}",
        )
    return low, high


def _looking_at(decisions: int | None, names: Set[str]) -> dict[str, object]:
    """What the launchpad would say to those of the assets ``names`` that look at past decisions."""
    if decisions is None:
        return {}
    budget = {"train_decisions": decisions, "judge_decisions": max(_FEWEST, decisions // 10)}
    return {name: {"config": budget} for name in _TRAINING if name in names}


def _execute(
    first: date, last: date, select: str, console: Console, decisions: int | None
) -> tuple[str, dict[str, float]]:
    import dagster as dg
    from dagster._core.definitions.asset_selection import DagsterInvalidAssetSelectionError

    warnings.filterwarnings("ignore", category=dg.BetaWarning)
    from reco_assets.definitions import defs

    graph = defs.resolve_asset_graph()
    examples = 'e.g. "key:interactions+" or "group:features"'
    try:
        # a step that writes two tables writes both, whichever of them was named
        keys = dg.AssetSelection.from_string(select).required_multi_asset_neighbors().resolve(graph)
    except DagsterInvalidAssetSelectionError as error:
        raise BadInput(f"--select {select!r} is no selection of assets", hint=examples) from error
    if not keys:
        raise BadInput(f"--select {select!r} names no asset", hint=examples)
    job = defs.resolve_job_def("everything")
    run_id = str(uuid4())
    with (
        dg.DagsterInstance.get() as instance,
        Progress(
            TextColumn("{task.description:24}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        ) as bars,
    ):
        steps_to_run = job.get_subset(asset_selection=keys).graph.nodes
        task = bars.add_task("starting", total=len(steps_to_run))

        def follow(entry: dg.EventLogEntry) -> None:
            event = entry.dagster_event
            if event is not None and event.is_step_start:
                bars.update(task, description=str(event.step_key))
            elif event is not None and event.is_step_success:
                bars.update(task, advance=1)

        instance.add_event_listener(run_id, follow)
        result = job.execute_in_process(
            instance=instance,
            run_id=run_id,
            asset_selection=list(keys),
            raise_on_error=False,
            tags={
                "dagster/asset_partition_range_start": first.isoformat(),
                "dagster/asset_partition_range_end": last.isoformat(),
            },
            run_config={
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                "ops": _looking_at(decisions, {key.path[-1] for key in keys}),
            },
        )
        bars.update(task, description="done" if result.success else "failed")
        if not result.success:
            raise RunFailed(
                "; ".join(_reason(event) for event in result.all_events if event.is_step_failure)
                or "the run failed",
                hint=f"`make up` shows run {run_id} in the Dagster UI",
            )
    steps = {
        str(event.step_key): event.step_success_data.duration_ms / 1000
        for event in result.all_events
        if event.is_step_success
    }
    return run_id, steps


def _reason(event: dg.DagsterEvent) -> str:
    error = event.step_failure_data.error
    if error is not None and error.cause is not None:
        error = error.cause  # the outer one is Dagster's own
    if error is None:
        return f"{event.step_key}: failed"
    # the message begins with the module and the name of the error's class
    return f"{event.step_key}: {error.message.strip().split(f'{error.cls_name}: ', 1)[-1]}"
