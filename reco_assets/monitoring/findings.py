"""Questions to a table whose answers decide whether it may be served; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl


@dataclass(frozen=True)
class Finding:
    """One answer.

    Attributes
    ----------
    blocking
        Whether what comes after must not run when this failed.
    facts
        The numbers behind it.
    """

    name: str
    passed: bool
    description: str
    blocking: bool = True
    facts: Mapping[str, int | float | str] = field(default_factory=dict)


def has_rows(frame: pl.LazyFrame, least: int = 1) -> Finding:
    """At least ``least`` rows."""
    rows = int(frame.select(pl.len()).collect().item())
    return Finding(
        "volume", rows >= least, f"{rows:,} rows, at least {least:,} expected", True, {"rows": rows}
    )


def steady_volume(counts: Mapping[str, int], today: str) -> Finding:
    """A day's rows against the median of the days before it: from a fifth to five times."""
    before = sorted(count for day, count in counts.items() if day < today)
    value = counts.get(today, 0)
    if len(before) < 3:
        return Finding(
            "steady_volume", True, "fewer than three earlier days to compare with", False, {"rows": value}
        )
    median = before[len(before) // 2]
    passed = median / 5 <= value <= median * 5
    return Finding(
        "steady_volume",
        passed,
        f"{value:,} rows; the median of {len(before)} earlier days is {median:,}",
        False,
        {"rows": value, "median": median},
    )


def no_nulls(frame: pl.LazyFrame, columns: Sequence[str]) -> Finding:
    """No null in any of ``columns``."""
    counts = frame.select(pl.col(name).null_count() for name in columns).collect().row(0, named=True)
    bad = {name: int(count) for name, count in counts.items() if count}
    return Finding("no_nulls", not bad, f"nulls: {bad or 'none'} in {', '.join(columns)}", True, bad)


def unique(frame: pl.LazyFrame, key: Sequence[str]) -> Finding:
    """No two rows share ``key``."""
    rows, distinct = (
        frame.select(pl.len().alias("rows"), pl.struct(key).n_unique().alias("distinct")).collect().row(0)
    )
    return Finding(
        "unique", rows == distinct, f"{rows - distinct:,} rows repeat their {' + '.join(key)}", True,
        {"rows": rows, "repeated": rows - distinct},
    )  # fmt: skip


def in_range(frame: pl.LazyFrame, ranges: Mapping[str, tuple[float, float]]) -> Finding:
    """Every known value of each column lies within its range."""
    counts = (
        frame.select(
            (~pl.col(name).is_between(low, high)).sum().alias(name) for name, (low, high) in ranges.items()
        )
        .collect()
        .row(0, named=True)
    )
    bad = {name: int(count) for name, count in counts.items() if count}
    return Finding("in_range", not bad, f"out of range: {bad or 'none'} of {dict(ranges)}", True, bad)


def covered(frame: pl.LazyFrame, column: str, reference: pl.LazyFrame, other: str, least: float) -> Finding:
    """At least a share ``least`` of the rows whose ``column`` is known finds it in ``reference``."""
    known = frame.filter(pl.col(column).is_not_null())
    total = int(known.select(pl.len()).collect().item())
    found = int(
        known.join(reference.select(other).unique(), left_on=column, right_on=other, how="semi")
        .select(pl.len())
        .collect()
        .item()
    )
    share = found / total if total else 1.0
    return Finding(
        "covered", share >= least, f"{share:.2%} of the {column}s are known, {least:.0%} expected", True,
        {"share": share},
    )  # fmt: skip
