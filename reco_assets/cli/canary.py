"""``reco canary``: a new bundle for a few users first, taken back by itself where it harms."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from reco_assets.cli.experiment import findings, now_us, opened, started, tell
from reco_assets.cli.experiment_options import AsJson, named_bundle, percent
from reco_assets.errors import BadInput
from reco_assets.experiments.board import Board
from reco_assets.experiments.board import ramp as ramped
from reco_assets.experiments.board import stop as ended
from reco_assets.experiments.definition import LAYER, Experiment, Variant
from reco_assets.experiments.metrics import GUARDRAILS, guardrail
from reco_assets.platform.settings import Settings

canary_app = typer.Typer(
    no_args_is_help=True, help="Show a new bundle to a few users first.", rich_markup_mode="markdown"
)
_CANARY: Final = "canary"

Version = Annotated[str, typer.Argument(help="Version of the bundle in the registry, or an alias.")]
Share = Annotated[str, typer.Option(help="Share of the users, e.g. 5%.")]


@canary_app.command("start")
def start(
    version: Version,
    share: Share = "5%",
    control: Annotated[str | None, typer.Option(help="Share it is held against [default: as many].")] = None,
    guard: Annotated[
        list[str] | None, typer.Option(help="METRIC:WORST, e.g. latency_ms:25%; repeat it [default: three].")
    ] = None,
    layer: Annotated[str, typer.Option(help="Layer of the experiment that it is.")] = LAYER,
    as_json_: AsJson = False,
) -> None:
    """Answer a share of the users from another bundle; where a guardrail breaks it is taken back.

    It is an experiment called `canary-VERSION`, the second one of a version `canary-VERSION.2`.

    Examples:

    * `reco canary start 8 --share 5%`

    * `reco canary start challenger --share 1% --guard fallback_share:0.01 --guard latency_ms:20%`
    """
    settings = Settings()
    found = named_bundle(settings, version)
    with opened(settings) as store:
        before = len(_of(store.read(), found))
    made = Experiment(
        name=f"{_CANARY}-{found}" + (f".{before + 1}" if before else ""),
        layer=layer,
        variants=(Variant("control"), Variant(_CANARY, found)),
        guardrails=tuple(guardrail(text) for text in guard) if guard else GUARDRAILS,
    )
    own = percent(share)
    started(settings, made, [percent(control) if control is not None else own, own], as_json_)


@canary_app.command("ramp")
def ramp(version: Version, share: Share, as_json_: AsJson = False) -> None:
    """Give the canary more users, and its control as many; nobody moves between them.

    Examples:

    * `reco canary ramp 8 --share 25%`
    """
    settings = Settings()
    size = percent(share)
    with opened(settings) as store:
        name, at = _newest(store.read(), settings, version), now_us()
        board = store.change(
            f"ramped {name} to {share}",
            at,
            lambda old: ramped(old, name, {"control": size, _CANARY: size}, at),
        )
    tell(board.experiment(name), None, as_json_)


@canary_app.command("status")
def status(version: Version, as_json_: AsJson = False) -> None:
    """How the canary does against its control.

    Examples:

    * `reco canary status 8`
    """
    settings = Settings()
    with opened(settings) as store:
        board = store.read()
        name = _newest(board, settings, version)
        known = findings(store).get(name)
    tell(board.experiment(name), known, as_json_)


@canary_app.command("stop")
def stop(
    version: Version,
    reason: Annotated[str, typer.Option(help="Why; it is kept.")] = "stopped by hand",
    as_json_: AsJson = False,
) -> None:
    """Answer everybody from the champion again, within a second.

    Examples:

    * `reco canary stop 8 --reason "promoted"`
    """
    settings = Settings()
    with opened(settings) as store:
        name, at = _newest(store.read(), settings, version), now_us()
        board = store.change(f"stopped {name}: {reason}", at, lambda old: ended(old, name, reason, at))
    tell(board.experiment(name), None, as_json_)


def _newest(board: Board, settings: Settings, reference: str) -> str:
    """Name of the last canary of a version, also where its files are gone, or of what an alias means now."""
    version = reference if reference.isdecimal() else named_bundle(settings, reference)
    canaries = _of(board, version)
    if not canaries:
        raise BadInput(f"version {version} was never a canary", hint=f"`reco canary start {version}`")
    return canaries[-1].name


def _of(board: Board, version: str) -> list[Experiment]:
    """The canaries of ``version``, the newest last."""
    name = f"{_CANARY}-{version}"
    return [one for one in board.experiments if one.name.partition(".")[0] == name]
