"""Rows of ``raw/decisions`` out of the stream's records, and the impressions that follow from them."""

from __future__ import annotations

from typing import Final

import polars as pl

from reco_assets.events.contract import EARLIEST, MAX_AHEAD, RAW_SCHEMA, VERSION
from reco_assets.events.decided import Decided, decode
from reco_assets.platform.streams.stream import Record

DECISIONS: Final = "raw/decisions"
#: ``source`` of an impression that an answer of the service made.
SOURCE: Final = "recommend"

_TIME: Final = pl.Datetime("us", "UTC")
_EARLIEST_US: Final = int(EARLIEST.timestamp()) * 1_000_000
_AHEAD_US: Final = int(MAX_AHEAD.total_seconds()) * 1_000_000
_DAY_US: Final = 86_400_000_000

#: Columns of ``raw/decisions``, one row a recommendation.
DECISIONS_SCHEMA: Final[dict[str, pl.DataType]] = {
    "delivery": pl.String(),  # "stream:<name>:<partition>"
    "delivery_position": pl.Int64(),
    "ingested_at": _TIME,  # when the stream took it
    "recommendation_id": pl.String(),
    "user_id": pl.String(),
    "session_id": pl.String(),
    "decided_at": _TIME,
    "decided_date": pl.Date(),
    "bundle": pl.String(),
    "product_epoch": pl.Int64(),
    "rung": pl.String(),
    "variant": pl.String(),
    "seed": pl.Int64(),
    "products": pl.List(pl.String()),  # best first
    "scores": pl.List(pl.Float64()),
    "sources": pl.List(pl.String()),
    "propensities": pl.List(pl.Float64()),  # null in records from before they were known
    "policy": pl.String(),  # digest of the policy file that held; empty for the bundle's own rules
    # the experiments that decided over it, side by side; null in records from before there were any
    "experiments": pl.List(pl.String()),
    "variants": pl.List(pl.String()),
    "phases": pl.List(pl.Int64()),
    "degraded": pl.Boolean(),
    "latency_ms": pl.Float64(),
    "record": pl.Binary(),  # as delivered, see events/decided: with it the decision can be made again
}

#: Those that records of earlier versions have nothing for.
LATER_COLUMNS: Final = frozenset(
    ("propensities", "policy", "experiments", "variants", "phases", "degraded", "latency_ms")
)

#: Columns of ``raw/decisions`` that :func:`impressions` reads.
SHOWN: Final = ("recommendation_id", "user_id", "session_id", "decided_at", "ingested_at", "products")


def decision_row(record: Record) -> tuple[object, ...]:
    """Columns of ``raw/decisions`` behind the delivery; raises ValueError where it is no decision."""
    decided, asker = decode(record.value)
    if not _EARLIEST_US <= decided.now_us <= record.at_us + _AHEAD_US:
        raise ValueError(f"now_us {decided.now_us} is before {EARLIEST.year} or in the future")
    return (
        record.at_us,
        decided.recommendation_id,
        asker.user,
        asker.session,
        decided.now_us,
        decided.now_us // _DAY_US,
        decided.bundle,
        decided.product_epoch,
        decided.rung,
        decided.variant,
        decided.seed,
        decided.products,
        decided.scores,
        decided.sources,
        decided.propensities if decided.version >= 2 else None,
        decided.policy,
        *(_experiment_columns(decided) if decided.version >= 3 else (None,) * 5),
        record.value,
    )


def _experiment_columns(decided: Decided) -> tuple[object, ...]:
    return (
        [one.experiment for one in decided.exposures],
        [one.variant for one in decided.exposures],
        [one.phase for one in decided.exposures],
        decided.degraded,
        decided.latency_ms,
    )


def impressions(decisions: pl.DataFrame) -> pl.DataFrame:
    """Rows of ``raw/events``, one a product that one of ``decisions`` (``SHOWN``) showed.

    The event's id is ``<recommendation_id>:<position>``; the position counts from 0.
    """
    places = pl.int_ranges(0, pl.col("products").list.len(), dtype=pl.Int64)
    shown = decisions.filter(pl.col("products").list.len() > 0).with_columns(position=places)
    told = shown.explode("products", "position").select(
        "recommendation_id",
        "user_id",
        "session_id",
        "position",
        "ingested_at",
        delivery=pl.format("decision:{}", "recommendation_id"),
        delivery_position=pl.col("position"),
        event_id=pl.format("{}:{}", "recommendation_id", "position"),
        product_id=pl.col("products"),
        timestamp=pl.col("decided_at"),
        event_date=pl.col("decided_at").dt.date(),
        ingest_date=pl.col("ingested_at").dt.date(),
        event_type=pl.lit("impression"),
        source=pl.lit(SOURCE),
        contract_version=pl.lit(VERSION, pl.Int64),
    )
    return told.select(
        pl.col(name) if name in told.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in RAW_SCHEMA.items()
    )
