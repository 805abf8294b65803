"""What products, users and order lines were, and when: slowly changing tables made of what was said.

Three kinds of records speak of a thing, and they are put in the order of their time:

- a change of the shop's database is a full row. A null in it means null; a column that its table does
  not have says nothing. It alone can end a thing, and what it ended only it can bring back.
- an observation, from a catalogue file or next to an event, says what it says: a null says nothing, and
  the former value holds. Of a thing that the database deleted it says nothing at all.
- an event says only that the thing was there.

At one moment the later kind of the three is overruled by the former: the database has the last word.
Changes of one log are ordered by their place in it, never by arrival; where a database's clock went
back, a change counts from the latest time before it. What the order of arrival was, and what came twice,
leaves no trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl

from reco_assets.catalogue.changes.purchases import event_id
from reco_assets.catalogue.changes.table import CHANGES_SCHEMA
from reco_assets.catalogue.changes.tables import ORDER_ATTRIBUTES
from reco_assets.events.observations import PRODUCT_ATTRIBUTES, USER_ATTRIBUTES

_US: Final = pl.Datetime("us", "UTC")
_VALIDITY: Final[dict[str, pl.DataType]] = {"valid_from": _US, "valid_to": _US}

#: Columns of ``silver/products``.
PRODUCTS_SCHEMA: Final = {"product_id": pl.String(), **PRODUCT_ATTRIBUTES, **_VALIDITY}

#: Columns of ``silver/users``.
USERS_SCHEMA: Final = {"user_id": pl.String(), **USER_ATTRIBUTES, **_VALIDITY}

#: Columns of ``silver/orders``; ``event_id`` is that of the line's purchase in ``raw/events``.
ORDERS_SCHEMA: Final = {"event_id": pl.String(), **ORDER_ATTRIBUTES, **_VALIDITY}

Frame = pl.DataFrame | pl.LazyFrame
Attributes = Mapping[str, pl.DataType]

#: Kinds of records, in the order in which they overrule each other at one moment.
_SEEN, _OBSERVED, _CHANGED = (pl.lit(level, dtype=pl.Int8) for level in range(3))
#: Of two changes at one place of a log, the row that is there is the one that was written.
_RANK: Final = {"d": 0, "r": 1, "c": 2, "u": 3}


def product_history(observations: Frame, seen: Frame, changes: Frame | None = None) -> pl.DataFrame:
    """Rows of ``silver/products``: one a change of any attribute, sorted by product and time.

    A deleted product has no row from then on; ``valid_to`` of its last row is when it went.

    Parameters
    ----------
    observations
        ``raw/catalogue``, in any order.
    seen
        ``product_id, first_seen``: the products that events name, and since when.
    changes
        ``raw/changes``, in any order.
    """
    key, attributes = "product_id", PRODUCT_ATTRIBUTES
    told = _of_changes(changes, "products", attributes)
    return _history([_of_observations(observations, key, attributes), told], seen, key, PRODUCTS_SCHEMA)


def user_history(observations: Frame, seen: Frame, changes: Frame | None = None) -> pl.DataFrame:
    """Rows of ``silver/users``; ``seen`` has ``user_id, first_seen``."""
    key, attributes = "user_id", USER_ATTRIBUTES
    told = _of_changes(changes, "users", attributes)
    return _history([_of_observations(observations, key, attributes), told], seen, key, USERS_SCHEMA)


def order_history(changes: Frame) -> pl.DataFrame:
    """Rows of ``silver/orders``: one a change of an order line, sorted by ``event_id`` and time.

    A line of a table that numbers none is told from the order's other lines by its product.
    """
    named = changes.lazy().with_columns(event_id("source_table", "key").alias("key"))
    told = _of_changes(named, "orders", ORDER_ATTRIBUTES)
    nobody = pl.DataFrame(schema={"event_id": pl.String, "first_seen": _US})
    rows = _history([told], nobody, "event_id", ORDERS_SCHEMA)
    return rows.with_columns(pl.col("line").fill_null(pl.col("product_id")))


def _of_observations(observations: Frame, key: str, attributes: Attributes) -> pl.LazyFrame:
    """Records: ``id, at, level, order, place, gone``, the attributes, and which of them are said."""
    return (
        observations.lazy()
        .filter(pl.col(key).is_not_null())
        .select(
            pl.col(key).alias("id"),
            pl.col("observed_at").cast(_US).alias("at"),
            _OBSERVED.alias("level"),
            pl.col("delivery").alias("order"),
            pl.col("delivery_position").cast(pl.Int64).alias("place"),
            pl.lit(False).alias("gone"),
            *attributes,
            *(pl.col(name).is_not_null().alias(_said(name)) for name in attributes),
        )
    )


def _of_changes(changes: Frame | None, entity: str, attributes: Attributes) -> pl.LazyFrame:
    """As :func:`_of_observations`; the time grows along each log."""
    table = pl.LazyFrame(schema=CHANGES_SCHEMA) if changes is None else changes.lazy()
    gone = pl.col("op") == "d"
    return (
        table.filter(pl.col("entity") == entity)
        .with_columns(rank=pl.col("op").replace_strict(_RANK, return_dtype=pl.Int8))
        # the content decides where a log has one place for two; what came twice is side by side
        .sort("key", "log", "log_position", "rank", *attributes, "ingested_at")
        .with_row_index("place")
        .select(
            pl.col("key").alias("id"),
            pl.col("source_ts").cast(_US).cum_max().over("key", "log").alias("at"),
            _CHANGED.alias("level"),
            pl.col("log").alias("order"),
            pl.col("place").cast(pl.Int64),
            gone.alias("gone"),
            *attributes,
            *((~gone & pl.col("said").list.contains(name)).alias(_said(name)) for name in attributes),
        )
    )


def _of_seen(seen: Frame, key: str, attributes: Attributes) -> pl.LazyFrame:
    first_seen = seen.lazy().group_by(key).agg(pl.col("first_seen").min().cast(_US))
    return first_seen.select(
        pl.col(key).alias("id"),
        pl.col("first_seen").alias("at"),
        _SEEN.alias("level"),
        pl.lit("").alias("order"),
        pl.lit(0, dtype=pl.Int64).alias("place"),
        pl.lit(False).alias("gone"),
        *(pl.lit(None, dtype=dtype).alias(name) for name, dtype in attributes.items()),
        *(pl.lit(False).alias(_said(name)) for name in attributes),
    )


def _history(
    told: list[pl.LazyFrame], seen: Frame, key: str, schema: Mapping[str, pl.DataType]
) -> pl.DataFrame:
    """All records of a thing on one line of time; a row wherever what is true becomes something else."""
    attributes = {name: dtype for name, dtype in schema.items() if name not in (key, *_VALIDITY)}
    line = pl.concat([*told, _of_seen(seen, key, attributes)]).sort("id", "at", "level", "order", "place")
    rows = _periods(_states(_heard(line), list(attributes)), list(attributes)).rename({"id": key})
    return rows.select(pl.col(name).cast(dtype) for name, dtype in schema.items()).collect()


# The lines of all things lie one after the other in one sorted table, so that what was before is the row
# above: no window function has to find the rows of a thing among millions again.


def _heard(line: pl.LazyFrame) -> pl.LazyFrame:
    """``line`` without what others said of things that the database had deleted by then."""
    change = pl.col("level") == _CHANGED
    latest = pl.when(change).then("row").forward_fill()
    deleted = pl.col("gone").gather(latest) & (latest >= pl.when(_begins()).then("row").forward_fill())
    return line.with_row_index("row").filter(change | ~deleted.fill_null(False)).drop("row")


def _states(line: pl.LazyFrame, names: list[str]) -> pl.LazyFrame:
    """What was true after each moment: ``id, at, level, gone``, and the last said value of each attribute."""
    life = pl.when(_begins() | pl.col("gone").shift(1)).then("row").forward_fill()
    latest = {name: pl.when(_said(name)).then("row").forward_fill() for name in names}
    values = [
        pl.when(latest[name] >= life).then(pl.col(name).gather(latest[name])).alias(name) for name in names
    ]
    ends_moment = (_begins() | (pl.col("at") != pl.col("at").shift(1))).shift(-1).fill_null(True)
    return (
        line.with_row_index("row")
        .select("id", "at", "level", "gone", *values, ends=ends_moment)
        .filter("ends")
        .drop("ends")
    )


def _periods(states: pl.LazyFrame, names: list[str]) -> pl.LazyFrame:
    """One row for each time in which one state held, with ``valid_from`` and ``valid_to``."""
    other = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in names)
    changed = states.filter(
        _begins() | (pl.col("gone") != pl.col("gone").shift(1)) | (~pl.col("gone") & other)
    )
    # What is first told of a thing that an event has named before counts from that event on.
    blank = _begins() & (pl.col("level") == _SEEN)
    taken = blank.shift(1) & ~_begins() & ~pl.col("gone")
    return (
        changed.with_columns(
            valid_from=pl.when(taken).then(pl.col("at").shift(1)).otherwise("at"),
            valid_to=pl.when(~_begins()).then("at").shift(-1),
            absorbed=taken.shift(-1).fill_null(False),
        )
        .filter(~pl.col("gone") & ~pl.col("absorbed"))
        .select("id", *names, "valid_from", "valid_to")
    )


def _begins() -> pl.Expr:
    """Whether a row is the first of its thing."""
    return pl.col("id").ne_missing(pl.col("id").shift(1))


def _said(name: str) -> str:
    return f"said {name}"
