"""``reco promote`` and ``reco rollback``: which version of the bundle serves, by hand."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import Annotated, Final

import httpx
import typer

from reco_assets.cli.health import health
from reco_assets.errors import BadBundle, MissingDependency
from reco_assets.platform import promotion
from reco_assets.platform.settings import Settings

_GLANCE_SECONDS: Final = 0.05

Wait = Annotated[
    float, typer.Option(help="Seconds to wait until the service of this machine serves it; 0 does not wait.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@dataclass(frozen=True)
class Moved:
    """What was done; ``serves`` is None where no service was asked, or none runs here."""

    version: str
    before: str | None
    serves: bool | None
    seconds: float


def promote(
    version: Annotated[str, typer.Argument(help="Version of the bundle in the registry.")],
    canary: Annotated[
        str | None,
        typer.Option(help="Share of the users, e.g. 5%, who alone are answered by it; nothing is promoted."),
    ] = None,
    wait: Wait = 10.0,
    as_json: AsJson = False,
) -> None:
    """Make a version of the bundle the champion, and wait until it serves.

    The service tries it first: a version that is damaged, fails, is too slow or answers something else
    entirely is refused, and the one that serves stays.

    With `--canary` it starts what `reco canary start` does: a share of the users is answered by the
    version, as many are held against them, and a broken guardrail takes it back. That is not waited for.

    Examples:

    * `reco promote 12`

    * `reco promote 12 --canary 5%`

    * `reco promote 12 --wait 0`
    """
    settings = Settings()
    if canary is not None:
        # who only promotes need not wait for what experiments import
        from reco_assets.cli.canary import begin

        begin(settings, version, canary, as_json)
        return
    begun = time.monotonic()
    before = promotion.promote(settings, version, time.time_ns() // 1_000_000)
    _tell(settings, version, before, begun, wait, as_json)


def rollback(wait: Wait = 10.0, as_json: AsJson = False) -> None:
    """Make the version before champion again, and wait until it serves; twice goes two back.

    Examples:

    * `reco rollback`
    """
    settings = Settings()
    begun = time.monotonic()
    left, version = promotion.rollback(settings, time.time_ns() // 1_000_000)
    _tell(settings, version, left, begun, wait, as_json)


def _tell(
    settings: Settings, version: str, before: str | None, begun: float, wait: float, as_json: bool
) -> None:
    if not promotion.local(settings):
        _tell_services(settings)
    serves = _served(settings, version, begun + wait) if wait else None
    moved = Moved(version, before, serves, round(time.monotonic() - begun, 2))
    if as_json:
        typer.echo(json.dumps(asdict(moved)))
        return
    told = {
        True: f"it serves after {moved.seconds:.1f} s",
        False: f"it does not serve after {moved.seconds:.1f} s, see /health",
        None: "the service takes it up within a second of its next look",
    }
    typer.echo(f"version {version} is champion instead of {before or 'none'}; {told[serves]}")


def _tell_services(settings: Settings) -> None:
    # an operator who takes a bad version back on one machine need not wait for what this imports
    from reco_assets.platform.notice import nudge

    try:
        nudge(settings)
    except MissingDependency as error:
        typer.echo(f"note: services look within a second by themselves; {error}", err=True)


def _served(settings: Settings, version: str, end: float) -> bool | None:
    """Whether the service serves ``version`` before ``end``; None where none answers.

    Raises
    ------
    BadBundle
        The service has refused it.
    BadInput
        The service asks for a key.
    """
    with httpx.Client(timeout=2.0) as client:
        while True:
            try:
                told = health(settings, client)
            except (httpx.HTTPError, json.JSONDecodeError):
                return None
            if told["bundle"].get("registry_version") == version:
                return True
            refused = [one for one in told["missing"] if f"version {version} is refused" in one]
            if refused:
                raise BadBundle(refused[0], hint="`reco rollback` makes the version before champion again")
            if time.monotonic() > end:
                return False
            time.sleep(_GLANCE_SECONDS)
