"""``reco keys``: who may ask the service, and for what."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from reco_assets.errors import BadInput
from reco_assets.platform.settings import Settings
from reco_serving.access import Scope
from reco_serving.keys import RANDOM_BYTES, Key, new_key, read_keys, write_keys

keys_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="API keys of the service. It asks for them from the first one on, and learns of changes within a "
    "second.\n\nExamples:\n\n* `reco keys add shop --scope recommend --scope collect`\n\n* `reco keys list`"
    "\n\n* `reco keys revoke shop`",
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@keys_app.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who will use it.")],
    scope: Annotated[list[Scope], typer.Option(help="What it is good for; repeat it for several.")],
    rate: Annotated[float, typer.Option(help="Requests a second that it may make.", min=0.01)] = 100.0,
    burst: Annotated[
        float | None, typer.Option(help="Requests at once after a rest [default: two seconds' worth].", min=1)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it: this once, for only its hash is kept.

    Examples:

    * `reco keys add shop --scope recommend --scope collect --rate 300`

    * `reco keys add pages --scope collect`

    * `reco keys add prometheus --scope operate --rate 1 --json`
    """
    path = Settings().keys_file
    known = read_keys(path)
    if any(key.name == name for key in known):
        raise BadInput(
            f"making an API key: {path} has one named {name!r}",
            hint=f"take another name, or `reco keys revoke {name}` first",
        )
    text, key = new_key(
        name, scope, rate, burst or max(1.0, 2 * rate), os.urandom(RANDOM_BYTES), datetime.now(UTC)
    )
    write_keys(path, [*known, key])
    typer.echo(json.dumps({"key": text, **_told(key)}) if as_json else text)


@keys_app.command("list")
def show(as_json: AsJson = False) -> None:
    """The keys: names, scopes and rates.

    Examples:

    * `reco keys list --json`
    """
    known = read_keys(Settings().keys_file)
    if as_json:
        typer.echo(json.dumps({"keys": [_told(key) for key in known]}))
        return
    table = Table("name", "id", "scopes", "a second", "at once", "made")
    for key in known:
        made = f"{key.created_at:%Y-%m-%d %H:%M}"
        table.add_row(key.name, key.id, ", ".join(key.scopes), f"{key.per_second:g}", f"{key.burst:g}", made)
    Console().print(table)


@keys_app.command("revoke")
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name or id of the key.")],
    as_json: AsJson = False,
) -> None:
    """Take a key away: nobody gets in with it a second later.

    Examples:

    * `reco keys revoke shop`
    """
    path = Settings().keys_file
    known = read_keys(path)
    left = [key for key in known if name not in (key.name, key.id)]
    if len(left) == len(known):
        raise BadInput(f"revoking an API key: {path} has none named {name!r}", hint="see `reco keys list`")
    write_keys(path, left)
    if as_json:
        typer.echo(json.dumps({"revoked": name, "left": len(left)}))
    else:
        typer.echo(f"{name} is revoked; {len(left)} keys are left")


def _told(key: Key) -> dict[str, object]:
    return {
        "name": key.name,
        "id": key.id,
        "scopes": [scope.value for scope in key.scopes],
        "per_second": key.per_second,
        "burst": key.burst,
        "created_at": key.created_at.isoformat(),
    }
