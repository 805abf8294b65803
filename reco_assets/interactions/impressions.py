"""Every product that the service showed, and what came of it: a row that a ranker can learn from."""

from __future__ import annotations

from typing import Final

import ibis.expr.types as ir

#: Columns of ``raw/decisions`` that are read.
DECISION: Final[tuple[str, ...]] = (
    "recommendation_id",
    "variant",
    "bundle",
    "rung",
    "products",
    "scores",
    "sources",
    "propensities",
)
#: Columns of ``gold/attributions`` that are read.
OUTCOME: Final[tuple[str, ...]] = ("recommendation_id", "product_id", "position", "event_type")
#: Columns of ``gold/impressions``, in order. The propensity is the probability of the product to be shown
#: at its place by the policy that answered; null where the decision does not say it.
COLUMNS: Final[tuple[str, ...]] = (
    "recommendation_id",
    "user_id",
    "product_id",
    "position",
    "shown_at",
    "event_date",
    "variant",
    "bundle",
    "rung",
    "score",
    "source",
    "propensity",
    "clicked",
    "carted",
    "purchased",
)


def impressions(shown: ir.Table, decisions: ir.Table, attributions: ir.Table) -> ir.Table:
    """Rows of ``gold/impressions``, one a row of ``shown`` that a decision knows of.

    Anybody may send events: one that only looks like an impression of ours is nothing to learn from.

    Parameters
    ----------
    shown
        As :func:`reco_assets.interactions.attribution.shown` makes it.
    decisions
        ``DECISION`` of the same days.
    attributions
        ``OUTCOME`` of these days and of the longest window after them.
    """
    made = decisions.rename(_decision="recommendation_id")
    led_to = _outcomes(attributions)
    told = shown.join(made, shown.recommendation_id == made._decision)
    # Spark takes 32 bits for a place, and no place outside of the list
    inside = (told.position >= 0) & (told.position < told.products.length())
    place = inside.ifelse(told.position, None).cast("int32")
    told = told.mutate(
        score=told.scores[place],
        source=told.sources[place],
        propensity=told.propensities[place],
        _shown=told.products[place],
    )
    told = told.filter(told._shown == told.product_id)
    told = told.left_join(
        led_to,
        [
            told.recommendation_id == led_to._answer,
            told.product_id == led_to._product,
            told.position == led_to._position,
        ],
    )
    outcomes = {name: told[name].coalesce(False) for name in ("clicked", "carted", "purchased")}
    return told.mutate(**outcomes).select(*COLUMNS)


def _outcomes(attributions: ir.Table) -> ir.Table:
    """Whether each shown product that something is attributed to was clicked, carted, purchased."""
    named = attributions.rename(_answer="recommendation_id", _product="product_id", _position="position")
    kind = named.event_type
    return named.group_by("_answer", "_product", "_position").agg(
        clicked=(kind == "click").any(),
        carted=(kind == "add_to_cart").any(),
        purchased=(kind == "purchase").any(),
    )
