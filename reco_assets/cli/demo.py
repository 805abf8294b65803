"""``reco demo``: a shop from nothing to recommendations over HTTP, on real parts."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Final

import httpx
import msgspec
import polars as pl
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from reco_assets.cli.ask import answer_table
from reco_assets.cli.graph import run_graph
from reco_assets.cli.health import health
from reco_assets.cli.stack import processes
from reco_assets.errors import MissingBundle
from reco_assets.platform.artifacts import Artifacts
from reco_assets.platform.lake import open_lake
from reco_assets.platform.redis import open_redis, redis_runs, stop_redis
from reco_assets.platform.registry import CHAMPION, Registry
from reco_assets.platform.settings import Settings
from reco_assets.ranking.metrics import METRICS
from reco_assets.ranking.outcome import Means, load_means
from reco_assets.ranking.training import TrainingBudget
from reco_assets.recommender.asked import Context, RecommendRequest
from reco_assets.simulator.parameters import Parameters
from reco_assets.simulator.shop import simulate
from reco_serving.client import Client

_SEED: Final = 7
_WIDTH: Final = 110
_WAIT_SECONDS: Final = 120.0
_NIGHTLY: Final = TrainingBudget.train_decisions


def demo(
    users: Annotated[int, typer.Option(help="Simulated users.")] = 2000,
    products: Annotated[int, typer.Option(help="Simulated products.")] = 1500,
    days: Annotated[int, typer.Option(help="Days of history.")] = 30,
    events: Annotated[int, typer.Option(help="Events of that history.")] = 300_000,
    decisions: Annotated[
        int,
        typer.Option(
            min=100,
            help=f"Past decisions to learn from; a nightly retraining takes {_NIGHTLY:,}.",
        ),
    ] = 3_500,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> None:
    """Simulate a shop, run the whole graph, start the service and ask it for recommendations.

    The shop is simulated once and kept; a second run goes on from what is there. Afterwards the
    stack is stopped; `reco up` starts it to stay.

    Examples:

    * `reco demo`

    * `reco demo --users 500 --products 400 --days 14 --events 50000`
    """
    settings = Settings()
    # a log file has no width of its own; eighty columns would cut the tables
    console = Console(stderr=as_json, width=None if sys.stdout.isatty() else _WIDTH)
    shop = settings.landing_folder
    if not (shop / "manifest.json").exists():
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        parameters = Parameters(
            users=users, products=products, days=days, events=events, seed=_SEED, end=yesterday
        )
        console.print(f"[bold]A shop[/]: {events:,} events of {users:,} users in {days} days -> {shop}")
        with Progress(TextColumn("simulating"), BarColumn(), TimeElapsedColumn(), console=console) as bars:
            task = bars.add_task("", total=parameters.total_events)
            simulate(parameters, shop, overwrite=True, progress=lambda done: bars.advance(task, done))
    console.print("[bold]The graph[/]: raw events to the online store")
    started = _redis_and_service(settings)
    try:
        run = run_graph(settings, None, None, "*", console, decisions)
        run.show(console)
        means = load_means(Artifacts(settings.home / "artifacts"))
        console.print(_scores(means))
        processes(settings)[0].wait()
        served = _wait_for_bundle(settings)["bundle"]
        console.print(
            f"[bold]Promoted[/]: {served['version']}, registry version {served['registry_version']}, "
            f"ranked by the {served['ranks_by']}, served on {_url(settings)}"
        )
        answers = []
        with Client.of(settings) as client:
            for title, asked in _questions(settings):
                answers.append(client.recommend(asked))
                console.print(answer_table(answers[-1], title))
    finally:
        for stop in reversed(started):
            stop()
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "run": json.loads(run.as_json()),
                    "metrics": means,
                    "answers": msgspec.to_builtins(answers),
                },
                default=str,
            )
        )


def _redis_and_service(settings: Settings) -> list[Callable[[], object]]:
    """Start what does not run yet, without waiting for the service; how to stop what was started."""
    started: list[Callable[[], object]] = []
    if settings.redis_url is None and not redis_runs(settings):
        started.append(partial(stop_redis, settings))
    open_redis(settings).close()
    service = processes(settings)[0]
    if service.pid() is None:
        service.start(os.environ | {"RECO_HOME": str(settings.home.resolve())})
        started.append(service.stop)
    return started


def _url(settings: Settings) -> str:
    return f"http://{settings.service_host}:{settings.service_port}"


def _wait_for_bundle(settings: Settings) -> dict[str, Any]:
    """The service's health once it serves the champion of the registry."""
    champion = Registry(settings).version_of(CHAMPION)
    end = time.monotonic() + _WAIT_SECONDS
    with httpx.Client(timeout=10.0) as client:
        while time.monotonic() < end:
            told = health(settings, client)
            if champion is not None and told["bundle"].get("registry_version") == champion:
                return told
            time.sleep(0.5)
    raise MissingBundle(
        f"waiting for {_url(settings)} to serve version {champion}: it does not",
        hint=f"see {_url(settings)}/health and the logs in {settings.home / 'run'}",
    )


def _questions(settings: Settings) -> list[tuple[str, RecommendRequest]]:
    """A known user, an unknown user, and a session of a few products."""
    interactions = open_lake(settings).scan("silver/interactions")
    recent = (
        interactions.filter(pl.col("event_type") == "purchase")
        .sort("timestamp", "event_id")
        .tail(1)
        .select("user_id", "product_id")
        .collect()
    )
    clicks = (
        interactions.filter(pl.col("event_type") == "click").sort("timestamp", "event_id").tail(3).collect()
    )
    known = recent["user_id"][0] if recent.height else clicks["user_id"][0]
    return [
        ("A known user", RecommendRequest(user_id=known)),
        ("An unknown user", RecommendRequest(user_id="nobody-has-seen-me")),
        (
            "A visitor's session",
            RecommendRequest(
                user_id="just-arrived",
                context=Context(products=clicks["product_id"].unique(maintain_order=True).to_list()),
            ),
        ),
    ]


def _scores(means: Means) -> Table:
    table = Table(title="The held-out day, all products ranked", title_justify="left")
    table.add_column("recommender", no_wrap=True)
    for metric in METRICS:
        table.add_column(metric, justify="right")
    for name, values in sorted(means.items(), key=lambda pair: -pair[1]["ndcg@20"]):
        table.add_row(
            name, *(f"{values[metric]:.4f}" for metric in METRICS), style="bold" if name == "full" else ""
        )
    return table
