"""The ranker's hyper-parameters in a file of the shop, which `reco tune` writes and people may edit."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, fields
from pathlib import Path

from reco_assets.errors import BadInput
from reco_assets.features.catalogue import RANKING_FEATURES, names
from reco_assets.ranking.lambdamart import RankerParameters


def read_parameters(path: Path) -> RankerParameters:
    """What the file says, the defaults for what it does not; the defaults where there is no file.

    Raises
    ------
    BadInput
        The file cannot be read, or names something that the ranker does not have.
    """
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return RankerParameters()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"reading {path}: {error}", hint="mend it, or write it anew: reco tune") from error
    known = {field.name: getattr(RankerParameters(), field.name) for field in fields(RankerParameters)}
    for name, value in said.items():
        if name not in known:
            raise BadInput(f"reading {path}: there is no {name!r}", hint=f"one of {', '.join(known)}")
        if not _fits(value, known[name]):
            raise BadInput(f"reading {path}: {name} is {value!r}", hint=f"as the default, {known[name]!r}")
    rising = tuple(said.get("rising", known["rising"]))
    strange = sorted(set(rising) - set(names(RANKING_FEATURES)))
    if strange:
        raise BadInput(
            f"reading {path}: rising names {', '.join(strange)}", hint="docs/reference.md lists the features"
        )
    return RankerParameters(**{**said, "rising": rising})


def write_parameters(path: Path, parameters: RankerParameters, why: str) -> None:
    """Write all of ``parameters`` with the comment ``why``."""
    lines = [f"# {why}"]
    for name, value in asdict(parameters).items():
        if isinstance(value, bool):
            lines.append(f"{name} = {str(value).lower()}")
        elif isinstance(value, tuple):
            lines.append(f"{name} = [{', '.join(repr(one) for one in value)}]")
        else:
            lines.append(f"{name} = {value!r}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _fits(value: object, default: object) -> bool:
    if isinstance(default, tuple):
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, float):
        return isinstance(value, int | float) and value > 0
    return isinstance(value, int) and value > 0
