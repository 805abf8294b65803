"""What tables mean, so that two lakes can be compared however their rows came together.

A table that is followed has its rows in other pieces than one that is made in a batch: several rows of
a key that are to be summed, or several revisions of which the highest holds.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from reco_assets.features import windows
from reco_assets.features.pipeline import BUILDS, FEATURES, INTERACTIONS, KEYS
from reco_assets.platform.engine import Engine

#: Every table that follows from raw events and products, in that order.
FOLLOWING: Final = (INTERACTIONS, *BUILDS)


def meaning(engine: Engine, name: str) -> pl.DataFrame:
    """The rows that hold, in a fixed order: additive ones summed by key, of features the last revision.

    Raises MissingTable.
    """
    table = engine.table(name)
    if name in KEYS:
        table = windows.summed(table, KEYS[name])
    found = pl.DataFrame(engine.to_arrow(table))
    if name in FEATURES:
        held = found.sort("revision").unique([FEATURES[name].key, "as_of"], keep="last")
        found = held.drop("revision")
    return found.select(sorted(found.columns)).sort(sorted(found.columns))


def differences(found: Engine, expected: Engine) -> dict[str, int]:
    """How many rows of each table mean something else in the two lakes; tables that agree are left out.

    A row that is in one lake alone counts once, one with another value twice.
    """
    counted = {}
    for name in FOLLOWING:
        here, there = meaning(found, name), meaning(expected, name)
        if here.equals(there):
            continue
        every = list(here.columns)
        ours = here.group_by(every).len("ours")
        theirs = there.group_by(every).len("theirs")
        both = ours.join(theirs, on=every, how="full", nulls_equal=True, coalesce=True)
        apart = (pl.col("ours").fill_null(0).cast(pl.Int64) - pl.col("theirs").fill_null(0)).abs().sum()
        counted[name] = int(both.select(apart).item())
    return counted
