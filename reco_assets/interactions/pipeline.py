"""From raw events to silver interactions: what the asset does, for any range of days at once."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from reco_assets.interactions import silver
from reco_assets.interactions.withdrawn import NO_ORDERS, ORDERS, orders_version, withdrawn_purchases
from reco_assets.platform.engine import Engine, Written
from reco_assets.platform.increments import made_from, until_alone

RAW: Final = "raw/events"
INTERACTIONS: Final = "silver/interactions"


def build_interactions(engine: Engine, first: date, last: date) -> Written:
    """``silver/interactions`` of the days ``first``..``last`` from ``raw/events`` and ``silver/products``.

    Purchases that ``silver/orders`` has taken back are left out. A range gives the same as its days one
    by one, and doing it again changes nothing. Raises MissingTable.
    """
    margin = timedelta(days=silver.MARGIN_DAYS)

    def build() -> Written:
        onto = engine.lake.open(INTERACTIONS) if engine.lake.exists(INTERACTIONS) else None
        version = engine.lake.open(RAW).version()
        raw = engine.table(
            RAW, event_dates=(first - margin, last), columns=silver.RAW_COLUMNS, version=version
        )
        orders = orders_version(engine.lake)
        gone = withdrawn_purchases(engine.lake, orders).select("event_id").unique()
        if gone.height:
            raw = raw.anti_join(engine.arrow(gone.to_arrow()), "event_id")
        history = silver.category_history(engine.table("silver/products"))
        repeated = silver.repeated_ids(engine, raw)
        rows = silver.interactions(raw, repeated, history)
        rows = rows.filter(rows.event_date.between(first, last))
        progress = made_from(RAW, version, first, last)
        if orders != NO_ORDERS:
            progress |= made_from(ORDERS, orders, first, last)
        return engine.replace_window(INTERACTIONS, rows, first, last, progress=progress, onto=onto)

    return until_alone(build)
