"""``docs/reference.md``, made from the code: settings, commands, events, tables and features.

``python -m reco_assets.cli.reference`` writes it; with ``--check`` it only says whether it is current.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_args, get_origin

import msgspec

from reco_assets.cli.lazy import load
from reco_assets.cli.main import COMMANDS
from reco_assets.events.contract import FIELDS, VERSION
from reco_assets.features.catalogue import Feature, all_features
from reco_assets.platform.lake import PARTITIONS
from reco_assets.platform.settings import Settings
from reco_assets.recommender.policy.document import Boost, Document, Promotion, Restricted

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference.md"


def page() -> str:
    """The whole page, as Markdown."""
    blocks: list[str] = [
        "# Reference",
        "Made from the code by `make reference`; edit the code, not this page.",
        *_settings(),
        *_commands(),
        *_policy(),
        *_events(),
        *_tables(),
        *_features(),
    ]
    return "\n\n".join(blocks) + "\n"


def _settings() -> Iterator[str]:
    yield "## Settings"
    yield "Environment variables, read once when a process starts."
    yield _table(
        ("variable", "type", "default", "what it is"),
        (
            (
                f"`RECO_{name.upper()}`",
                _type(field.annotation),
                _value(field.default),
                field.description or "",
            )
            for name, field in Settings.model_fields.items()
        ),
    )


def _commands() -> Iterator[str]:
    yield "## Commands"
    yield "`reco --home FOLDER COMMAND` works on another folder; `reco COMMAND --help` shows examples."
    for entry in COMMANDS:
        yield from _command(f"reco {entry.name}", load(entry))


def _command(path: str, command: Any) -> Iterator[str]:  # noqa: ANN401 - private to typer
    children = getattr(command, "commands", None)
    if children:
        for name, child in children.items():
            yield from _command(f"{path} {name}", child)
        return
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
    names = [str(p.metavar or p.name).upper() for p in arguments]
    yield f"### `{' '.join([path, *names])}`"
    yield _first_paragraph(command.help or "")
    rows = [(f"`{name}`", "", _sentence(p)) for name, p in zip(names, arguments, strict=True)]
    rows += [
        (", ".join(f"`{o}`" for o in [*p.opts, *p.secondary_opts]), _value(p.default), _sentence(p))
        for p in options
    ]
    if rows:
        yield _table(("option", "default", "what it does"), rows)


def _policy() -> Iterator[str]:
    yield "## Policy file"
    yield "TOML; what it leaves out is as the bundle proposes it. [Policy](policy.md) explains the fields."
    schemas = msgspec.json.schema_components([Document])[1]
    for kind, title in (
        (Document, "The file"),
        (Restricted, "`[age]`, `[region]`"),
        (Boost, "`[[boosts]]`"),
        (Promotion, "`[[promotions]]`"),
    ):
        yield f"### {title}"
        yield _table(
            ("field", "type", "default", "what it is"),
            (_policy_field(name, field) for name, field in schemas[kind.__name__]["properties"].items()),
        )


def _policy_field(name: str, field: Mapping[str, Any]) -> tuple[str, ...]:
    told = {**field, **next((one for one in field.get("anyOf", ()) if one.get("type") != "null"), {})}
    kind = told.get("format") or told.get("type") or ("table" if "$ref" in told else "")
    if told.get("type") == "array":
        kind = "tables" if "$ref" in told["items"] else "list of texts"
    if "enum" in told:
        kind = " or ".join(f"`{one}`" for one in told["enum"])
    bounds = (
        _policy_bound(told, "from", "minimum", "exclusiveMinimum"),
        _policy_bound(told, "to", "maximum", "exclusiveMaximum"),
    )
    limits = " ".join(filter(None, bounds))
    default = field.get("default")
    return (
        f"`{name}`",
        f"{kind} {limits}".strip(),
        "" if default is None or default == [] else _value(default),
        field.get("description") or told.get("description", ""),
    )


def _policy_bound(told: Mapping[str, Any], word: str, closed: str, opened: str) -> str:
    if opened in told:
        return f"{'above' if word == 'from' else 'below'} {told[opened]:g}"
    return f"{word} {told[closed]:g}" if closed in told else ""


def _events() -> Iterator[str]:
    yield f"## Events, contract version {VERSION}"
    yield _table(
        ("field", "type", "required", "what it is"),
        (
            (
                f"`{f.name}`",
                str(f.dtype),
                "yes" if f.required else "",
                f.description + _bounds(f.minimum, f.maximum),
            )
            for f in FIELDS
        ),
    )


def _tables() -> Iterator[str]:
    yield "## Partitioned tables of the lake"
    yield _table(
        ("table", "partitioned by"), ((f"`{name}`", f"`{column}`") for name, column in PARTITIONS.items())
    )


def _features() -> Iterator[str]:
    yield "## Features"
    yield "TTL is how long the online value lives; `-` is computed at the request and never stored."
    features = all_features()
    for entity in dict.fromkeys(feature.entity for feature in features):
        yield f"### Of a {entity}"
        yield _table(
            ("feature", "type", "unit", "TTL, days", "default", "what it is", "made from"),
            (_feature(feature) for feature in features if feature.entity == entity),
        )


def _feature(feature: Feature) -> tuple[str, ...]:
    return (
        f"`{feature.name}`",
        feature.dtype,
        feature.unit,
        str(feature.ttl_days or "-"),
        _value(feature.default) or "unknown",
        feature.description,
        feature.source,
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _type(annotation: Any) -> str:  # noqa: ANN401 - a type expression
    if get_origin(annotation) is None:
        return "" if annotation is type(None) else getattr(annotation, "__name__", str(annotation))
    names = [arg if isinstance(arg, str) else _type(arg) for arg in get_args(annotation)]
    return " or ".join(name for name in names if name)


def _value(default: object) -> str:
    if default is None or callable(default):
        return ""
    if isinstance(default, float) and math.isnan(default):
        return "unknown"
    return f"`{default}`"


def _bounds(minimum: float | None, maximum: float | None) -> str:
    least = f" At least {minimum:g}." if minimum is not None else ""
    return least + (f" At most {maximum:g}." if maximum is not None else "")


def _first_paragraph(text: str) -> str:
    return " ".join(text.strip().split("\n\n")[0].split())


def _sentence(parameter: Any) -> str:  # noqa: ANN401 - private to typer
    return " ".join((parameter.help or "").split())


def main(arguments: Sequence[str]) -> int:
    """Write the page, or with ``--check`` compare it; 1 where it is out of date."""
    made = page()
    if "--check" not in arguments:
        PAGE.write_text(made, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == made:
        return 0
    sys.stderr.write("error: docs/reference.md is not what the code says\nhint: make reference\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
