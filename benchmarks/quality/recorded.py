"""What a run has recorded: the JSON that ``python -m benchmarks.quality ... --json`` printed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import msgspec

from benchmarks.report import Value
from reco_assets.errors import BadInput

#: What tells the figures of one recommender from everything else that a data set's result holds.
_OF_RECOMMENDER: Final = "fit_seconds"


class Machine(msgspec.Struct, frozen=True):
    """What it ran on."""

    cpu: str
    cores: int
    memory_gb: float


class Document(msgspec.Struct, frozen=True):
    """The whole file."""

    benchmark: str
    machine: Machine
    commit: str | None
    results: dict[str, msgspec.Raw]


@dataclass(frozen=True)
class Recorded:
    """What was found on one data set.

    Attributes
    ----------
    rows
        By recommender its figures, of those that are known.
    asked
        Of a shop, by question: how many questions, in all and of each segment.
    costs
        Seconds and megabytes.
    ranks_by
        What the full recommender ranks by, and in a run of several periods each that it ever did.
    curves
        As :meth:`~benchmarks.quality.curve.Curve.as_json` told them.
    """

    name: str
    rows: Mapping[str, Mapping[str, float]]
    asked: Mapping[str, Mapping[str, int]]
    costs: Mapping[str, float]
    ranks_by: str
    split: str
    curves: Sequence[Mapping[str, Value]]

    @classmethod
    def of(cls, name: str, told: Mapping[str, Value]) -> Recorded:
        """From the result of one data set."""
        ranks_by = told["ranks_by"]
        return cls(
            name=name,
            rows={
                key: {figure: float(cast("float", one)) for figure, one in value.items() if one is not None}
                for key, value in told.items()
                if isinstance(value, Mapping) and _OF_RECOMMENDER in value
            },
            asked=cast("Mapping[str, Mapping[str, int]]", told.get("asked", {})),
            costs={key: float(value) for key, value in told.items() if isinstance(value, int | float)},
            ranks_by=ranks_by if isinstance(ranks_by, str) else ", ".join(dict.fromkeys(_texts(ranks_by))),
            split=str(told.get("split", "")),
            curves=cast("Sequence[Mapping[str, Value]]", told.get("curves", ())),
        )


@dataclass(frozen=True)
class Run:
    """One file."""

    machine: Machine
    commit: str
    found: Sequence[Recorded]


def recorded(path: Path) -> Run:
    """Read what a run printed; BadInput where it is nothing of the kind."""
    try:
        document = msgspec.json.decode(path.read_bytes(), type=Document)
        told = {name: json.loads(bytes(value)) for name, value in document.results.items()}
        # a command of one data set tells its result as it is, `all` by the data set's name
        by_name = {path.stem: told} if "ranks_by" in told else told
        found = [Recorded.of(name, one) for name, one in by_name.items()]
    except (msgspec.MsgspecError, KeyError, AttributeError) as error:
        raise BadInput(
            f"reading {path}: this is no JSON of a run ({error})",
            hint="write one by `python -m benchmarks.quality all --json`",
        ) from error
    return Run(document.machine, document.commit or "no commit", found)


def _texts(value: Value) -> list[str]:
    return [str(one) for one in value] if isinstance(value, Sequence) else [str(value)]
