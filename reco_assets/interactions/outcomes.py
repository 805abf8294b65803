"""From silver interactions to attributions and impressions: what the assets do, for any range of days."""

from __future__ import annotations

from datetime import date
from typing import Final

import polars as pl

from reco_assets.events.decision_rows import DECISIONS, DECISIONS_SCHEMA
from reco_assets.interactions import attribution
from reco_assets.interactions import impressions as shown_products
from reco_assets.interactions.pipeline import INTERACTIONS
from reco_assets.platform.engine import Engine, Written
from reco_assets.platform.increments import made_from, until_alone

ATTRIBUTIONS: Final = "gold/attributions"
IMPRESSIONS: Final = "gold/impressions"
#: An impression is open for so long: what happens until then may be its outcome.
OPEN: Final = max(attribution.WINDOWS.values())


def build_attributions(engine: Engine, first: date, last: date) -> Written:
    """``gold/attributions`` of the days ``first``..``last``, from ``silver/interactions``.

    Reads the impressions of the ``OPEN`` days before as well: where those of a day have changed, the
    days after it are to be built again. A range gives the same as its days one by one, and doing it
    again changes nothing. Raises MissingTable.
    """

    def build() -> Written:
        onto = engine.lake.open(ATTRIBUTIONS) if engine.lake.exists(ATTRIBUTIONS) else None
        version = engine.lake.open(INTERACTIONS).version()
        rows = engine.table(
            INTERACTIONS, event_dates=(first - OPEN, last), columns=attribution.INPUT, version=version
        )
        found = attribution.attributed(
            rows.filter(rows.event_date.between(first, last)), attribution.shown(rows)
        )
        progress = made_from(INTERACTIONS, version, first, last)
        return engine.replace_window(ATTRIBUTIONS, found, first, last, progress=progress, onto=onto)

    return until_alone(build)


def build_impressions(engine: Engine, first: date, last: date) -> Written:
    """``gold/impressions`` of the days ``first``..``last``, with the outcomes that are known by now.

    A purchase of today may be the outcome of an impression of a week ago: what is attributed on the
    days up to ``last + OPEN`` is read, and a day's outcomes are final when that day has been built.
    Whoever builds a day's attributions therefore builds the impressions from ``first - OPEN`` on again.
    Idempotent, as :func:`build_attributions`, which comes before. Raises MissingTable.
    """

    def build() -> Written:
        engine.lake.widen(IMPRESSIONS, {"propensity": pl.Float64()})
        onto = engine.lake.open(IMPRESSIONS) if engine.lake.exists(IMPRESSIONS) else None
        engine.lake.ensure(DECISIONS, DECISIONS_SCHEMA)  # a shop that has never answered has none
        seen, led_to = (engine.lake.open(name).version() for name in (INTERACTIONS, ATTRIBUTIONS))
        days = (first, last)
        found = shown_products.impressions(
            attribution.shown(
                engine.table(INTERACTIONS, event_dates=days, columns=attribution.INPUT, version=seen)
            ),
            engine.table(DECISIONS, event_dates=days, columns=shown_products.DECISION),
            engine.table(
                ATTRIBUTIONS,
                event_dates=(first, last + OPEN),
                columns=shown_products.OUTCOME,
                version=led_to,
            ),
        )
        progress = made_from(INTERACTIONS, seen, *days) | made_from(ATTRIBUTIONS, led_to, *days)
        return engine.replace_window(IMPRESSIONS, found, first, last, progress=progress, onto=onto)

    return until_alone(build)
