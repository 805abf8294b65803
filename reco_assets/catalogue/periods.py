"""What a table of periods owes: each thing has at most one row at any moment."""

from __future__ import annotations

import polars as pl


def faults(history: pl.DataFrame, key: str) -> dict[str, int]:
    """How often a table with ``key, valid_from, valid_to`` breaks each of its rules; all 0 where it is whole.

    ``current``: rows of things that have more than one without an end; ``backwards``: rows that do not
    end after they begin; ``overlapping``: rows that begin before the one before them has ended.
    """
    ordered = history.select(key, "valid_from", "valid_to").sort(key, "valid_from", "valid_to")
    current = ordered.filter(pl.col("valid_to").is_null())
    same = pl.col(key) == pl.col(key).shift(1)
    before = pl.col("valid_to").shift(1)
    return {
        "current": current.height - current[key].n_unique(),
        "backwards": ordered.filter(pl.col("valid_to") <= pl.col("valid_from")).height,
        "overlapping": ordered.filter(same & (before.is_null() | (before > pl.col("valid_from")))).height,
    }
