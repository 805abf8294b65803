"""Which answer of the service led to a click, a cart or a purchase: last touch, as table expressions.

An event is credited to the answer that it names, where that one has shown its product to its user; else
to the latest answer that did; else to none. Both only as far back as the window of its kind reaches.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import ibis
import ibis.expr.types as ir

from reco_assets.platform.engine import micros

#: How long after an impression a click or an add-to-cart counts.
CLICK_WINDOW: Final = timedelta(hours=24)
#: How long after an impression a purchase counts.
PURCHASE_WINDOW: Final = timedelta(days=7)
#: The window of each kind of event that is attributed.
WINDOWS: Final[dict[str, timedelta]] = {
    "click": CLICK_WINDOW,
    "add_to_cart": CLICK_WINDOW,
    "purchase": PURCHASE_WINDOW,
}

#: Columns of ``silver/interactions`` that are read.
INPUT: Final[tuple[str, ...]] = (
    "event_id",
    "user_id",
    "event_type",
    "product_id",
    "timestamp",
    "event_date",
    "recommendation_id",
    "position",
)
#: Columns of ``gold/attributions``, in order. An event is known by its id and day, as in silver.
COLUMNS: Final[tuple[str, ...]] = (
    "event_id",
    "event_type",
    "user_id",
    "product_id",
    "timestamp",
    "event_date",
    "recommendation_id",
    "position",
    "shown_at",
    "how",
    "seconds_after",
)

_ANSWER: Final = ("recommendation_id", "position", "shown_at")
_MICROSECOND: Final = timedelta(microseconds=1)


def shown(interactions: ir.Table) -> ir.Table:
    """What the service showed: user, product, answer, ``shown_at``, ``event_date``.

    An impression that a shop's page reports is not one of these: theirs have the id that
    ``raw/decisions`` gives them, so that none counts twice.
    """
    its_place = interactions.recommendation_id + ":" + interactions.position.cast("string")
    served = (interactions.event_type == "impression") & (interactions.event_id == its_place)
    return interactions.filter(served & interactions.product_id.notnull()).select(
        "user_id",
        "product_id",
        "recommendation_id",
        "position",
        "event_date",
        shown_at=interactions.timestamp,
    )


def attributed(interactions: ir.Table, shown: ir.Table) -> ir.Table:
    """Rows of ``gold/attributions``: the events of ``interactions`` that an impression led to.

    Parameters
    ----------
    interactions
        ``INPUT`` of the days in question.
    shown
        What :func:`shown` makes of these days and of the longest window before them. An impression at
        the very moment of the event, and one exactly a window before it, count.
    """
    asked = interactions.filter(interactions.event_type.isin(list(WINDOWS))).mutate(
        _at=micros(interactions.timestamp), _window=_window(interactions.event_type)
    )
    touched = shown.semi_join(asked, ["user_id", "product_id"])
    answers = touched.group_by("recommendation_id", "user_id", "product_id").agg(
        position=touched.position.min(), shown_at=touched.shown_at.min()
    )
    found = _with_latest(_with_named(asked, answers), answers)
    by_id, by_product = _in_time(found, found._own_shown_at), _in_time(found, found.shown_at)
    chosen = {name: by_id.ifelse(found[f"_own_{name}"], found[name]) for name in _ANSWER}
    credited = found.filter(by_id | by_product).mutate(how=by_id.ifelse("id", "product"), **chosen)
    after = credited._at - micros(credited.shown_at)
    return credited.mutate(seconds_after=after / 1_000_000).select(*COLUMNS)


def _with_named(asked: ir.Table, answers: ir.Table) -> ir.Table:
    """``asked`` with the answer that each names (``_own_...``), where its user saw the product there."""
    own = answers.rename(
        {f"_own_{name}": name for name in _ANSWER} | {"_user": "user_id", "_product": "product_id"}
    )
    return asked.left_join(
        own,
        [
            asked.recommendation_id == own._own_recommendation_id,
            asked.user_id == own._user,
            asked.product_id == own._product,
        ],
    )


def _with_latest(asked: ir.Table, answers: ir.Table) -> ir.Table:
    """``asked`` with the latest answer before each that showed its product to its user.

    In the order of time, an event belongs to the impression that came last; of two at one moment to the
    greater id. One pass over sorted rows: a visitor whom a shop calls "guest" has too many impressions to
    be held against each of their events.
    """
    events = asked.drop("recommendation_id", "position", "_user", "_product")
    turns = answers.mutate(_at=micros(answers.shown_at))
    both = _padded(events, turns).union(_padded(turns, events))
    in_order = ibis.window(
        group_by=[both.user_id, both.product_id],
        order_by=[both._at, both.recommendation_id.isnull(), both.recommendation_id, both.event_id],
        rows=(None, 0),
    )
    turn = both.mutate(_turn=both.recommendation_id.count().over(in_order))
    one = ibis.window(group_by=[turn.user_id, turn.product_id, turn._turn])
    told = turn.mutate(**{name: turn[name].max().over(one) for name in _ANSWER})
    return told.filter(told.event_id.notnull())


def _padded(rows: ir.Table, others: ir.Table) -> ir.Table:
    """``rows`` with null for the columns that only ``others`` have, all in one order."""
    absent = {name: ibis.null(others[name].type()) for name in others.columns if name not in rows.columns}
    return rows.mutate(**absent).select(sorted({*rows.columns, *others.columns}))


def _in_time(found: ir.Table, shown_at: ir.TimestampColumn) -> ir.BooleanColumn:
    """Whether an event came after ``shown_at`` and within the window of its kind; False where null."""
    after = found._at - micros(shown_at)
    within: ir.BooleanColumn = ((after >= 0) & (after <= found._window)).coalesce(False)
    return within


def _window(event_type: ir.StringColumn) -> ir.IntegerColumn:
    """Microseconds that an event of this kind may come after its impression."""
    cases = [(event_type == kind, window // _MICROSECOND) for kind, window in WINDOWS.items()]
    found: ir.IntegerColumn = ibis.cases(*cases).cast("int64")
    return found
