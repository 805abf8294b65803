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

_EVENT: Final = ("event_id", "event_type", "user_id", "product_id", "timestamp", "event_date")
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
    by_id = _named(asked, answers)
    last = _latest(asked, answers)
    by_product = last.anti_join(by_id, ["event_id", "event_date"])
    return by_id.union(by_product)


def _named(asked: ir.Table, answers: ir.Table) -> ir.Table:
    """Events whose own answer has shown their product to their user in time."""
    own = asked.filter(asked.recommendation_id.notnull()).drop("position")
    seen = answers.rename(_user="user_id", _product="product_id", _answer="recommendation_id")
    pairs = own.join(
        seen,
        [own.recommendation_id == seen._answer, own.user_id == seen._user, own.product_id == seen._product],
    )
    return _within(pairs, "id")


def _latest(asked: ir.Table, answers: ir.Table) -> ir.Table:
    """Events with the latest answer before them that showed their product to their user, in time.

    In the order of time, an event belongs to the impression that came last; of two at one moment to the
    greater id. One pass over sorted rows: a visitor whom a shop calls "guest" has too many impressions to
    be held against each of their events.
    """
    nothing = {
        name: ibis.null(asked[name].type()) for name in ("event_id", "event_type", "timestamp", "event_date")
    }
    turns = answers.select(
        *(ibis.null(asked[name].type()).name(name) if name in nothing else answers[name] for name in _EVENT),
        *_ANSWER,
        _at=micros(answers.shown_at),
        _window=ibis.null("int64"),
    )
    events = asked.select(
        *_EVENT,
        *(ibis.null(answers[name].type()).name(name) for name in _ANSWER),
        _at=asked._at,
        _window=asked._window,
    )
    both = turns.union(events)
    pair = [both.user_id, both.product_id]
    in_order = ibis.window(
        group_by=pair,
        order_by=[both._at, both.recommendation_id.isnull(), both.recommendation_id, both.event_id],
        rows=(None, 0),
    )
    turn = both.mutate(_turn=both.recommendation_id.count().over(in_order))
    one = ibis.window(group_by=[turn.user_id, turn.product_id, turn._turn])
    told = turn.mutate(**{name: turn[name].max().over(one) for name in _ANSWER})
    return _within(told.filter(told.event_id.notnull() & told.recommendation_id.notnull()), "product")


def _within(pairs: ir.Table, how: str) -> ir.Table:
    """Those of ``pairs`` of an event and its answer that are close enough, as rows of the table."""
    after = pairs._at - micros(pairs.shown_at)
    kept = pairs.mutate(_after=after, how=ibis.literal(how))
    kept = kept.filter((kept._after >= 0) & (kept._after <= kept._window))
    return kept.mutate(seconds_after=kept._after / 1_000_000).select(*COLUMNS)


def _window(event_type: ir.StringColumn) -> ir.IntegerColumn:
    """Microseconds that an event of this kind may come after its impression."""
    cases = [(event_type == kind, window // _MICROSECOND) for kind, window in WINDOWS.items()]
    found: ir.IntegerColumn = ibis.cases(*cases).cast("int64")
    return found
