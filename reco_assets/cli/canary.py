"""``reco canary``: a new bundle for a few users first, taken back by itself where it harms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from reco_assets.cli.experiment import findings, now_us, opened, started, tell
from reco_assets.cli.experiment_options import AsJson, named_bundle, percent
from reco_assets.errors import BadInput, MissingBundle
from reco_assets.experiments.board import Board
from reco_assets.experiments.board import ramp as ramped
from reco_assets.experiments.board import stop as ended
from reco_assets.experiments.definition import LAYER, Experiment, Variant
from reco_assets.experiments.metrics import GUARDRAILS, guardrail
from reco_assets.platform.promotion import promoted
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

    It is an experiment called `canary-VERSION`, the second one of a version `canary-VERSION.2`. Its
    control is the version that is champion now, also when another one becomes champion meanwhile.
    `reco promote VERSION --canary SHARE` does the same.

    Examples:

    * `reco canary start 8 --share 5%`

    * `reco canary start challenger --share 1% --guard fallback_share:0.01 --guard latency_ms:20%`
    """
    begin(Settings(), version, share, as_json_, control, guard, layer)


def begin(
    settings: Settings,
    version: str,
    share: str,
    wants_json: bool,
    control: str | None = None,
    guard: Sequence[str] | None = None,
    layer: str = LAYER,
) -> None:
    """Start a canary of ``version``, and say what was done and what may be done next.

    Raises
    ------
    BadInput
        A share cannot be had, the version serves already, or something that runs is in its way.
    MissingBundle
        There is no such version, or none is champion that it could be held against.
    """
    sizes = _sizes(share, control)
    found = named_bundle(settings, version)
    champion = promoted(settings)
    if champion is None:
        raise MissingBundle(
            f"starting a canary of version {found}: no version is champion to hold it against",
            hint=f"`reco promote {found}` makes it champion",
        )
    if champion == found:
        raise BadInput(f"version {found} is champion already", hint="name the version that is to be tried")
    with opened(settings) as store:
        before = len(_of(store.read(), found))
    made = Experiment(
        name=f"{_CANARY}-{found}" + (f".{before + 1}" if before else ""),
        layer=layer,
        variants=(Variant("control", champion), Variant(_CANARY, found)),
        guardrails=tuple(guardrail(text) for text in guard) if guard else GUARDRAILS,
    )
    started(settings, made, sizes, wants_json)
    if not wants_json:
        typer.echo(_next(found, champion))


@canary_app.command("ramp")
def ramp(version: Version, share: Share, as_json_: AsJson = False) -> None:
    """Give the canary more users, and its control as many; nobody moves between them.

    Examples:

    * `reco canary ramp 8 --share 25%`
    """
    settings = Settings()
    size, _ = _sizes(share)
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


def _sizes(share: str, control: str | None = None) -> list[float]:
    """Shares of the control, as many as the canary's where it names none, and of the canary."""
    own = percent(share)
    held = percent(control) if control is not None else own
    if not own or not held:
        raise BadInput(
            f"a canary of {share}, its control {control or share}: one of them has nobody",
            hint="a share is from 0.01% on",
        )
    if own + held > 1:
        raise BadInput(
            f"a canary of {share} and its control of {control or share} are more than all users",
            hint="50% is the most with a control as large; `reco canary start` takes a smaller --control",
        )
    return [held, own]


def _next(version: str, champion: str) -> str:
    return (
        f"version {version} answers them as soon as it is open, and version {champion} its control; where "
        "a worker refuses it /health says why, and a broken guardrail takes it back\n"
        f"follow:  reco canary status {version}\n"
        f"more:    reco canary ramp {version} --share 25%\n"
        f"promote: reco promote {version} && reco canary stop {version} --reason promoted\n"
        f"stop:    reco canary stop {version}"
    )


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
