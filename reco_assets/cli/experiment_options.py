"""What ``reco experiment`` and ``reco canary`` are told on the command line, as values."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from reco_assets.errors import BadInput
from reco_assets.experiments.definition import CHAMPION, Changes
from reco_assets.platform.settings import Settings
from reco_assets.platform.versions import find

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_PERCENT: Final = re.compile(r"(?P<number>\d+(?:\.\d+)?)%")


def percent(text: str) -> float:
    """``5%`` as 0.05; raises BadInput."""
    said = _PERCENT.fullmatch(text.strip())
    if said is None or not 0 <= float(said["number"]) <= 100:
        raise BadInput(f"{text!r} is no share", hint="write it as 5% or 0.5%")
    return float(said["number"]) / 100


def by_variant(options: Sequence[str]) -> dict[str, str]:
    """``["blue=10%"]`` as ``{"blue": "10%"}``; raises BadInput."""
    told: dict[str, str] = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not equals or not name or not value or name in told:
            raise BadInput(f"{option!r} cannot be read", hint="write VARIANT=VALUE, each variant once")
        told[name] = value
    return told


def changes(files: Mapping[str, str], settings: Sequence[str]) -> dict[str, Changes]:
    """Fields of the policy by variant: those of its file, then those of ``VARIANT.FIELD=VALUE``."""
    told: dict[str, Changes] = {name: _file(Path(path)) for name, path in files.items()}
    for option in settings:
        place, equals, value = option.partition("=")
        variant, dot, field = place.rpartition(".")
        if not equals or not dot:
            raise BadInput(f"{option!r} cannot be read", hint="write VARIANT.FIELD=VALUE")
        told.setdefault(variant, {})[field] = _value(value, option)
    return told


def named_bundle(settings: Settings, reference: str) -> str:
    """The version that ``reference``, a version or an alias of the registry, means now.

    An experiment names a version and not an alias: what it compares must not change under it. Raises
    BadInput, MissingBundle.
    """
    if reference == CHAMPION:
        return CHAMPION
    if reference.isdecimal():
        return find(settings, reference).version
    from reco_assets.platform.registry import Registry

    version = Registry(settings).version_of(reference)
    if version is None:
        raise BadInput(f"the registry has no alias {reference!r}", hint="name a version, e.g. 7")
    return version


def _file(path: Path) -> Changes:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput(f"{path} is no JSON: {error}", hint='write e.g. {"diversity": 0.3}') from error
    if not isinstance(told, dict):
        raise BadInput(f"{path} is no JSON object", hint='write e.g. {"diversity": 0.3}')
    return told


def _value(text: str, option: str) -> bool | int | float:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise BadInput(f"{option!r}: {text!r} is no value", hint="a number, true or false") from error
    if not isinstance(value, bool | int | float):
        raise BadInput(f"{option!r}: {text!r} is no value", hint="a number, true or false")
    return value
