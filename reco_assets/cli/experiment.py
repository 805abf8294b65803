"""``reco experiment``: start, ramp, stop and look at experiments."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import msgspec
import redis
import typer
from rich.console import Console

from reco_assets.cli.experiment_options import AsJson, by_variant, changes, named_bundle, percent
from reco_assets.cli.experiment_report import as_json, overview, report
from reco_assets.errors import BadInput, MissingDependency
from reco_assets.experiments.board import ramp as ramped
from reco_assets.experiments.board import start as begun
from reco_assets.experiments.board import stop as ended
from reco_assets.experiments.definition import CHAMPION, LAYER, Experiment, Variant
from reco_assets.experiments.metrics import GUARDRAILS, guardrail
from reco_assets.experiments.page import page as results_page
from reco_assets.experiments.published import Published, read_published
from reco_assets.experiments.store import Store
from reco_assets.platform.redis import open_redis
from reco_assets.platform.settings import Settings

experiment_app = typer.Typer(
    no_args_is_help=True, help="Start, ramp, stop and look at experiments.", rich_markup_mode="markdown"
)


_CONTROL: Final = "control"


@experiment_app.command("start")
def start(
    name: Annotated[str, typer.Argument(help="Its name; no name is used twice.")],
    variant: Annotated[list[str], typer.Option(help="NAME=SHARE, e.g. varied=10%; repeat it.")],
    control: Annotated[
        str | None, typer.Option(help="Share of the control [default: that of the largest variant].")
    ] = None,
    bundle: Annotated[
        list[str] | None, typer.Option(help="VARIANT=VERSION or an alias; without it the champion answers.")
    ] = None,
    policy: Annotated[
        list[str] | None, typer.Option(help="VARIANT=FILE, a JSON object of fields of the policy.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="VARIANT.FIELD=VALUE of the policy; repeat it.")
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="A metric; the first one decides [default: ctr, conversion...].")
    ] = None,
    guard: Annotated[
        list[str] | None,
        typer.Option(help="METRIC:WORST, e.g. revenue_per_user:5%; `none` for none [default: three]."),
    ] = None,
    layer: Annotated[str, typer.Option(help="Experiments of one layer never share a user.")] = LAYER,
    salt: Annotated[str, typer.Option(help="What draws the users [default: the name].")] = "",
    level: Annotated[float, typer.Option(help="Share of false claims of a metric.")] = 0.05,
    planned: Annotated[int, typer.Option(help="User-days at which intervals are tightest.")] = 10_000,
    as_json_: AsJson = False,
) -> None:
    """Start an experiment: users are divided within a second, and stay with their variant.

    Examples:

    * `reco experiment start variety --variant varied=10% --set varied.diversity=0.3`

    * `reco experiment start ranker-8 --variant new=50% --bundle new=8 --bundle control=7`

    * `reco experiment start caps --variant wide=20% --policy wide=wide.json --layer rules --guard none`
    """
    settings = Settings()
    shares = {name: percent(text) for name, text in by_variant(variant).items()}
    bundles = {name: named_bundle(settings, text) for name, text in by_variant(bundle or []).items()}
    policies = changes(by_variant(policy or []), set_ or [])
    for unknown in (bundles.keys() | policies.keys()) - {_CONTROL, *shares}:
        raise BadInput(f"there is no variant {unknown!r}", hint=f"give it a share: --variant {unknown}=10%")
    variants = tuple(
        Variant(one, bundles.get(one, CHAMPION), policies.get(one, {})) for one in (_CONTROL, *shares)
    )
    rails = GUARDRAILS if guard is None else tuple(guardrail(text) for text in guard if text != "none")
    made = Experiment(
        name=name,
        layer=layer,
        salt=salt,
        variants=variants,
        metrics=tuple(metric) if metric else ("ctr", "conversion", "revenue_per_user"),
        guardrails=rails,
        level=level,
        planned=planned,
    )
    own = percent(control) if control is not None else max(shares.values())
    started(settings, made, [own, *shares.values()], as_json_)


def started(settings: Settings, made: Experiment, shares: list[float], wants_json: bool) -> None:
    """Put ``made`` on the board and say so."""
    with opened(settings) as store:
        at = now_us()
        board = store.change(f"started {made.name}", at, lambda old: begun(old, made, shares, at))
    tell(board.experiment(made.name), None, wants_json)


@experiment_app.command("ramp")
def ramp(
    name: Annotated[str, typer.Argument(help="The experiment.")],
    variant: Annotated[list[str], typer.Option(help="NAME=SHARE, e.g. varied=30%; repeat it.")],
    as_json_: AsJson = False,
) -> None:
    """Change shares; nobody moves from one variant to another, and results begin anew.

    Examples:

    * `reco experiment ramp variety --variant varied=30% --variant control=30%`
    """
    shares = {one: percent(text) for one, text in by_variant(variant).items()}
    with opened(Settings()) as store:
        at = now_us()
        board = store.change(f"ramped {name}: {shares}", at, lambda old: ramped(old, name, shares, at))
    tell(board.experiment(name), None, as_json_)


@experiment_app.command("stop")
def stop(
    name: Annotated[str, typer.Argument(help="The experiment.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept.")] = "stopped by hand",
    as_json_: AsJson = False,
) -> None:
    """End an experiment: within a second everybody is answered as if it had never been.

    Examples:

    * `reco experiment stop variety --reason "no effect in two weeks"`
    """
    with opened(Settings()) as store:
        at = now_us()
        board = store.change(f"stopped {name}: {reason}", at, lambda old: ended(old, name, reason, at))
    tell(board.experiment(name), None, as_json_)


@experiment_app.command("status")
def status(
    name: Annotated[str, typer.Argument(help="The experiment.")],
    as_json_: AsJson = False,
) -> None:
    """What is known of one experiment, as the asset `experiment_results` found it last.

    Examples:

    * `reco experiment status variety`

    * `reco materialize --select "key:experiment_results" && reco experiment status variety --json`
    """
    with opened(Settings()) as store:
        found = store.read().experiment(name)
        known = findings(store).get(name)
    tell(found, known, as_json_)


@experiment_app.command("list")
def list_(as_json_: AsJson = False) -> None:
    """Every experiment, the newest first.

    Examples:

    * `reco experiment list`

    * `reco experiment list --json`
    """
    with opened(Settings()) as store:
        board, known = store.read(), findings(store)
    newest = board.experiments[::-1]
    if as_json_:
        typer.echo(json.dumps([as_json(one, known.get(one.name)) for one in newest]))
    elif newest:
        Console().print(overview(newest, known))
    else:
        typer.echo("there is no experiment; `reco experiment start --help` shows how to start one")


@experiment_app.command("page")
def page(
    file: Annotated[Path, typer.Argument(help="The HTML file to write.")] = Path("experiments.html"),
) -> None:
    """Write the page of results, which the service shows on /experiments, into a file.

    Examples:

    * `reco experiment page experiments.html`
    """
    with opened(Settings()) as store:
        file.write_text(results_page(store.read(), findings(store), now_us()), encoding="utf-8")
    typer.echo(f"wrote {file}")


@contextmanager
def opened(settings: Settings) -> Iterator[Store]:
    """The experiments of ``settings``; starts the embedded Redis where none runs."""
    with open_redis(settings) as client:
        yield Store.of(settings, client)


def findings(store: Store) -> Mapping[str, Published]:
    """The newest findings by the experiment's name; raises MissingDependency."""
    try:
        return read_published(store.client)
    except (redis.RedisError, msgspec.DecodeError) as error:
        raise MissingDependency(
            f"reading the findings in Redis at {store.address}: {error}",
            hint="`reco materialize --select key:experiment_results` makes them anew",
        ) from error


def tell(found: Experiment, known: Published | None, wants_json: bool) -> None:
    """Say what is so of one experiment."""
    if wants_json:
        typer.echo(json.dumps(as_json(found, known)))
    else:
        for part in report(found, known):
            Console().print(part)


def now_us() -> int:
    """The clock, UTC microseconds."""
    return time.time_ns() // 1000
