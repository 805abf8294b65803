"""``reco policy``: the rules after ranking, looked at before they hold."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import redis
import typer
from rich.console import Console
from rich.table import Table

from reco_assets.errors import BadInput, MissingBundle, MissingDependency
from reco_assets.online.sample import sample_users
from reco_assets.platform.champion import look
from reco_assets.platform.redis import connect, redis_shown
from reco_assets.platform.settings import Settings
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.policy.compare import Difference, changes, difference
from reco_assets.recommender.policy.document import digest_of, read_document
from reco_assets.recommender.policy.examined import examined, left_for_strangers
from reco_assets.recommender.policy.kept import kept_text
from reco_assets.recommender.policy.rules import Rules
from reco_assets.recommender.types import MOST, UserState

policy_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="The rules after ranking: a file, checked and tried before it holds. docs/policy.md has its fields."
    "\n\nExamples:\n\n* `reco policy check policy.toml`\n\n* `reco policy diff data/policy.toml new.toml`"
    "\n\n* `reco policy show --json`",
)

#: Products that ``diff`` names, of those that move most.
_NAMED: Final = 10

File = Annotated[Path, typer.Argument(metavar="FILE", help="A policy file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@policy_app.command("check")
def check(file: File, as_json: AsJson = False) -> None:
    """Read a file and try it on the champion's products; 1 where it would be refused.

    Warns of rules that are for no product, change nothing or are over.

    Examples:

    * `reco policy check policy.toml`

    * `reco policy check policy.toml --json`
    """
    settings = Settings()
    bundle = _champion(settings)
    rules = Rules.read(_text(str(file), settings), bundle, str(file))
    found = examined(rules.document, rules.now(), _now())
    left = left_for_strangers(rules.now())
    if as_json:
        told = {
            "digest": rules.digest,
            "bundle": bundle.version,
            "products": len(bundle.items),
            "shown_to_strangers": left,
            "rules": [asdict(one) for one in found],
        }
        typer.echo(json.dumps(told))
        return
    table = Table("rule", "products", "warning", title=f"{file} on {bundle.version}", title_justify="left")
    table.columns[1].justify = "right"
    for one in found:
        table.add_row(one.field, f"{one.products:,}", one.warning)
    console = Console()
    console.print(table)
    console.print(
        f"It can be served. Of {len(bundle.items):,} products, {left:,} may be shown to a stranger."
    )


@policy_app.command("diff")
def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="A file, or the digest of one that was served.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="A file, or the digest of one that was served.")],
    users: Annotated[int, typer.Option(help="Known users that are answered, at the most.", min=1)] = 1000,
    num: Annotated[int, typer.Option("-n", "--num", help="Products of an answer.", min=1, max=MOST)] = 10,
    as_json: AsJson = False,
) -> None:
    """What two policies say, and what they answer the same people; nothing is changed.

    The people are a sample of those in the online store, the products are as it has them.

    Examples:

    * `reco policy diff data/policy.toml new.toml`

    * `reco policy diff 5f70bf18a0860070 new.toml --users 5000 --json`
    """
    settings = Settings()
    bundle = _champion(settings)
    people = _people(settings, bundle, users)
    before, after = (Rules.read(_text(one, settings), bundle, one) for one in (old, new))
    fields = changes(before.document, after.document)
    found = difference(before.now(), after.now(), people, num, _now())
    if as_json:
        told = _told(found, bundle)
        typer.echo(json.dumps({"fields": [asdict(one) for one in fields], **told}, default=str))
        return
    console = Console()
    table = Table("field", "old", "new", title="What they say", title_justify="left")
    for one in fields:
        table.add_row(one.field, _shown(one.old), _shown(one.new))
    console.print(table)
    console.print(
        f"Of {found.lists:,} answers, {found.changed:,} have other products, {found.reordered:,} the same in "
        f"another order, {found.shorter:,} are shorter."
    )
    for title, moved in (("in", found.into), ("out", found.out)):
        if moved:
            most = ", ".join(f"{bundle.items.ids[row]} ({count})" for row, count in moved.most_common(_NAMED))
            console.print(f"{len(moved):,} products come {title}; most often {most}")
    for campaign, count in found.promoted.most_common():
        console.print(f"campaign {campaign}: {count:,} places")


@policy_app.command("show")
def show(
    digest: Annotated[str | None, typer.Option(help="Of one that was served, as records name it.")] = None,
    as_json: AsJson = False,
) -> None:
    """The policy file that holds for this home, or one that was served.

    Examples:

    * `reco policy show`

    * `reco policy show --digest 5f70bf18a0860070`
    """
    settings = Settings()
    if digest is not None:
        name, text = digest, kept_text(settings.policies_folder, digest)
    else:
        name, text = str(settings.policy_file), _text(str(settings.policy_file), settings)
    read_document(text, name)
    if as_json:
        typer.echo(json.dumps({"policy": name, "digest": digest_of(text), "text": text.decode()}))
    else:
        typer.echo(f"# {name}, digest {digest_of(text)}\n{text.decode()}", nl=not text.endswith(b"\n"))


def _champion(settings: Settings) -> Bundle:
    champion = look(settings)
    if champion is None:
        raise MissingBundle(
            "looking at the champion's products: nothing has been promoted yet", hint="run `reco materialize`"
        )
    return Bundle.load(champion.folder)


def _text(given: str, settings: Settings) -> bytes:
    """The text of a policy file, or of one that was served under this digest."""
    path = Path(given)
    if path.is_file():
        return path.read_bytes()
    if len(given) == len(digest_of(b"")) and (settings.policies_folder / f"{given}.toml").is_file():
        return kept_text(settings.policies_folder, given)
    raise BadInput(
        f"reading policy {given}: there is no such file",
        hint="give a file, or the digest of a policy that was served; without a file the bundle's rules hold",
    )


def _people(settings: Settings, bundle: Bundle, most: int) -> list[UserState]:
    """People of the online store, after the products of ``bundle`` have been brought up to it."""
    from reco_serving.products import ProductFeed

    try:
        with connect(settings) as client:
            ProductFeed(client, bundle).load()
            people = sample_users(client, bundle.items, most)
    except redis.RedisError as error:
        raise MissingDependency(
            f"asking for known users: Redis at {redis_shown(settings)}: {error}",
            hint="start it with `reco up`",
        ) from error
    if not people:
        raise BadInput("asking for known users: the online store has none", hint="run `reco materialize`")
    return people


def _told(found: Difference, bundle: Bundle) -> Mapping[str, Any]:
    def named(rows: Counter[int]) -> dict[str, int]:
        return {bundle.items.ids[row]: count for row, count in rows.most_common()}

    counts = {name: getattr(found, name) for name in ("lists", "changed", "reordered", "shorter")}
    return {
        **counts, "into": named(found.into), "out": named(found.out), "promoted": dict(found.promoted)
    }  # fmt: skip


def _shown(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict):
        return "\n".join(f"{name} = {one}" for name, one in value.items() if one not in (None, []))
    return str(value)


def _now() -> int:
    return time.time_ns() // 1000
