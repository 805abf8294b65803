"""The three questions about a stretch of a shop's log, as tables: what is known, and what is wanted.

They are made of the log alone, so what they ask does not depend on any recommender.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Final

import polars as pl

from reco_assets.errors import BadInput
from reco_assets.ranking.split import DAY_US, WINDOW_US

#: A pause of one person that ends a session, where the log names none.
PAUSE_US: Final = 30 * 60_000_000
#: Share of the span that is learned from, where no split is named.
LEARNED: Final = 0.8
#: Segments by the events before the split, each with the fewest that it takes.
SEGMENTS: Final = {"new": 0, "cold": 1, "light": 5, "heavy": 50}
KNOWN: Final = tuple(name for name, least in SEGMENTS.items() if least > 0)

_TIME: Final = pl.col("timestamp").dt.timestamp("us")


@dataclass(frozen=True)
class Period:
    """``[first, last)``, UTC microseconds: what is before is known, what is in it is asked for."""

    first: int
    last: int

    @property
    def name(self) -> str:
        """When it begins."""
        return f"{moment(self.first):%Y-%m-%d %H:%M}"


def moment(time: int) -> datetime:
    """UTC microseconds as a time."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)


def micros(when: datetime | date) -> int:
    """A time, or the midnight at which a day begins, as UTC microseconds; without a zone it is UTC."""
    if not isinstance(when, datetime):
        when = datetime(when.year, when.month, when.day)
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def asked_period(log: pl.DataFrame, split: int | None = None, days: int | None = None) -> Period:
    """What is asked for: from ``split`` to the end of the log, or ``days`` long.

    Without a split it is the last fifth of the span, from midnight; of a span of less than five days,
    from a whole five minutes.

    Raises BadInput where there is nothing before the split, or nothing after it.
    """
    first, last = log.select(_TIME.min().alias("first"), _TIME.max().alias("last")).row(0)
    if split is None:
        cut = first + int((last - first) * LEARNED)
        grid = DAY_US if last - first >= 5 * DAY_US else WINDOW_US
        split = -(-cut // grid) * grid
    span = f"the events are from {moment(first):%Y-%m-%d %H:%M} to {moment(last):%Y-%m-%d %H:%M}"
    if split <= first:
        raise BadInput(f"splitting at {moment(split):%Y-%m-%d %H:%M}: nothing is before it", hint=span)
    if split > last:
        raise BadInput(f"splitting at {moment(split):%Y-%m-%d %H:%M}: nothing is after it", hint=span)
    return Period(split, min(last + 1, split + days * DAY_US) if days else last + 1)


def days_of(period: Period) -> list[Period]:
    """The period by days: from its start to the next midnight, then from midnight to midnight."""
    cuts = [period.first, *range((period.first // DAY_US + 1) * DAY_US, period.last, DAY_US), period.last]
    return [Period(first, last) for first, last in pairwise(cuts)]


def before(log: pl.DataFrame, period: Period) -> pl.DataFrame:
    """What is known when the period begins."""
    return log.filter(period.first > _TIME)


def inside(log: pl.DataFrame, period: Period) -> pl.DataFrame:
    """What happens in the period."""
    return log.filter(period.first <= _TIME, period.last > _TIME)


def purchases(log: pl.DataFrame, period: Period) -> pl.DataFrame:
    """Who buys in the period: user_id, wanted (distinct products bought, whether known or not), segment."""
    bought = inside(log, period).filter(pl.col("event_type") == "purchase")
    return _with_segment(_sets(bought, "wanted"), log, period)


def discovery(log: pl.DataFrame, period: Period) -> pl.DataFrame:
    """Who meets something new in the period: user_id, wanted, met, segment.

    ``wanted`` are the distinct products of any event that the person had not met before; ``met`` those
    that the person had.
    """
    known = before(log, period)
    pairs = inside(log, period).select("user_id", "product_id")
    new = pairs.join(known.select("user_id", "product_id").unique(), ["user_id", "product_id"], "anti")
    asked = _sets(new, "wanted").join(_sets(known, "met"), "user_id", "left", maintain_order="left")
    return _with_segment(asked.with_columns(pl.col("met").fill_null([])), log, period)


def session_steps(log: pl.DataFrame, period: Period) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Every step of a session of the period from one product to the next.

    A session is what the log calls one, otherwise what one person does without a pause of 30 minutes.
    A step is asked where another product follows, at a later time: events of one moment (a log that
    has only days, the lines of an invoice) have no order that could be asked for.

    Returns
    -------
    The events of the sessions, each session's one after the other: user_id, event_type, product_id,
    timestamp; and the steps: user_id, wanted (one product), session (a number), begin and end (the rows
    of the session before the step), segment.
    """
    pause = (_TIME.diff().over("user_id") > PAUSE_US).fill_null(False).cast(pl.Int64)
    nameless = pl.col("session_id").is_null()
    rows = (
        inside(log, period)
        .sort("user_id", "timestamp", "product_id", "event_type")
        .with_columns(
            key=pl.when(nameless)
            .then(pl.format("pause {}", pause.cum_sum().over("user_id")))
            .otherwise(pl.format("named {}", "session_id"))
        )
        .sort("user_id", "key", maintain_order=True)
        .with_row_index("row")
        .with_columns(pl.col("row").cast(pl.Int64), session=pl.struct("user_id", "key").rle_id())
    )
    same = pl.col("session") == pl.col("session").shift(1)
    moved = (pl.col("product_id") != pl.col("product_id").shift(1)) & (
        pl.col("timestamp") > pl.col("timestamp").shift(1)
    )
    steps = (
        rows.with_columns(begin=pl.col("row").min().over("session"), asked=(same & moved).fill_null(False))
        .filter("asked")
        .select(
            "user_id",
            "session",
            "begin",
            pl.concat_list("product_id").alias("wanted"),
            pl.col("row").alias("end"),
        )
    )
    return rows.select("user_id", "event_type", "product_id", "timestamp"), _with_segment(steps, log, period)


def _sets(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """Distinct products of each person, persons and products in the order of their ids."""
    distinct = rows.select("user_id", "product_id").unique().sort("user_id", "product_id")
    return distinct.group_by("user_id", maintain_order=True).agg(pl.col("product_id").alias(name))


def _with_segment(asked: pl.DataFrame, log: pl.DataFrame, period: Period) -> pl.DataFrame:
    counts = before(log, period).group_by("user_id").agg(pl.len().alias("events"))
    segment = pl.lit("new")
    for name in KNOWN:
        segment = pl.when(pl.col("events") >= SEGMENTS[name]).then(pl.lit(name)).otherwise(segment)
    found = asked.join(counts, "user_id", "left", maintain_order="left")
    return found.with_columns(pl.col("events").fill_null(0)).with_columns(segment=segment).drop("events")
