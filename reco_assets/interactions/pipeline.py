"""From raw events to silver interactions: what the asset does, for any range of days at once."""

from __future__ import annotations

from datetime import date, timedelta

from reco_assets.interactions import silver
from reco_assets.platform.engine import Engine, Written


def build_interactions(engine: Engine, first: date, last: date, **metadata: str) -> Written:
    """``silver/interactions`` of the days ``first``..``last`` from ``raw/events`` and ``silver/products``.

    A range gives the same as its days one by one, and doing it again changes nothing. Raises
    MissingTable.
    """
    margin = timedelta(days=silver.MARGIN_DAYS)
    raw = engine.table("raw/events", event_dates=(first - margin, last), columns=silver.RAW_COLUMNS)
    history = silver.category_history(engine.table("silver/products"))
    rows = silver.interactions(raw, history)
    rows = rows.filter(rows.event_date.between(first, last))
    return engine.replace_window("silver/interactions", rows, first, last, **metadata)
