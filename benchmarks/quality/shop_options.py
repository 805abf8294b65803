"""How a shop is judged: where it is cut, how much is asked, where it works."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from reco_assets.errors import BadInput

#: Steps of sessions asked about, drawn at random, where nothing else is said.
STEPS: Final = 4_000
_SEED: Final = 7


@dataclass(frozen=True)
class Options:
    """How a shop is judged.

    Attributes
    ----------
    split
        UTC microseconds; None for the last fifth of the span.
    days
        Length of the test period; None for all that is there.
    rolling
        Take each finished day in and ask about the next one.
    retrain
        With ``rolling``: train anew every so many days; 0 never does.
    decisions
        Past decisions that each training learns from; None for as many as every night.
    cases
        At most so many questions of each kind and period, drawn at random; None asks all, but of the
        steps of sessions only ``STEPS``.
    curve
        Ask again with every value of the policy's knobs.
    home
        Folder to work in, kept; None for a temporary one.
    """

    split: int | None = None
    days: int | None = None
    rolling: bool = False
    retrain: int = 0
    decisions: int | None = None
    cases: int | None = None
    curve: bool = False
    home: Path | None = None


def drawn(table: pl.DataFrame, most: int | None) -> pl.DataFrame:
    """At most so many rows, drawn at random, in their order."""
    if most is None or len(table) <= most:
        return table
    rows = np.sort(np.random.default_rng(_SEED).choice(len(table), most, replace=False))
    return table.select(pl.all().gather(rows.tolist()))


@contextmanager
def home_of(given: Path | None) -> Iterator[Path]:
    """The folder to work in; one that is named must be empty and is kept."""
    if given is None:
        with tempfile.TemporaryDirectory(prefix="reco-quality-") as folder:
            yield Path(folder)
        return
    if given.exists() and any(given.iterdir()):
        raise BadInput(f"working in {given}: it is not empty", hint="name a new folder by --home")
    given.mkdir(parents=True, exist_ok=True)
    yield given
