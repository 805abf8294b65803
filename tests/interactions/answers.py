"""Builders of what the service showed, and what of a handful of events is attributed to it."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from reco_assets.interactions import attribution
from reco_assets.platform.engine import Engine
from tests.builders import Event, events, impression


def answer(name: str, user_id: str, *products: str, at: str | datetime) -> list[Event]:
    """The impressions of one answer of the service, best product first."""
    return [
        impression(
            user_id,
            product,
            at=at,
            event_id=f"{name}:{position}",
            recommendation_id=name,
            position=position,
            source="recommend",
        )
        for position, product in enumerate(products)
    ]


def silver(*rows: Event) -> pl.DataFrame:
    """``rows`` as ``silver/interactions`` has them, as far as attribution reads it."""
    dated = events(*rows).with_columns(event_date=pl.col("timestamp").dt.date())
    return dated.select(attribution.INPUT)


def attributed(engine: Engine, *rows: Event) -> pl.DataFrame:
    """What of ``rows`` is attributed to which answer, in the order of time."""
    table = engine.arrow(silver(*rows).to_arrow())
    found = engine.to_arrow(attribution.attributed(table, attribution.shown(table)))
    return pl.DataFrame(found).sort("timestamp", "event_id")


def credits(engine: Engine, *rows: Event) -> list[tuple[str, str]]:
    """Answer and ``how`` of each attributed event, in the order of time."""
    return attributed(engine, *rows).select("recommendation_id", "how").rows()
