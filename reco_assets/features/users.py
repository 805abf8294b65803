"""User features as of given moments, one expression for daily tables, training rows and updates."""

from __future__ import annotations

from typing import Final

import ibis
import ibis.expr.types as ir

from reco_assets.features.catalogue import HORIZON_DAYS
from reco_assets.features.running import (
    as_of,
    asked_time,
    entering,
    leaving,
    midnight_after,
    moments,
    passing,
    seen_by,
)
from reco_assets.features.windows import DAY_US, MONEY, WATERMARK_US
from reco_assets.platform.engine import moment

KEY: Final = "user_id"
#: Columns of a day's rollup, or of a tile, that the features are made from.
SUMS: Final = (
    "events",
    "clicks",
    "add_to_carts",
    "purchases",
    "price_sum",
    "price_count",
    "duration_sum",
    "duration_count",
)
TIMES: Final = ("first_event_time", "last_event_time")

#: Room for category codes beside an event count in one integer, so that one maximum finds both.
_CODES: Final = 2**20


def changed_at_day_ends(days: ir.Table, since_us: int, until_us: int) -> ir.Table:
    """Points ``user_id, as_of``: where a day's rollup enters or leaves within ``(since_us, until_us]``.

    Parameters
    ----------
    days
        ``gold/user_days`` from the horizon before ``since_us`` on.
    since_us, until_us
        Midnights, microseconds; the ends of the first and of the last day asked for are within them.
    """
    entered = days.select(KEY, at=midnight_after(days.event_date))
    left = entered.mutate(at=entered["at"] + HORIZON_DAYS * DAY_US)
    ends = entered.union(left)
    ends = ends.filter((ends["at"] > since_us) & (ends["at"] <= until_us)).distinct()
    return ends.select(KEY, as_of=moment(ends["at"] + WATERMARK_US))


def user_features(
    points: ir.Table,
    days: ir.Table,
    category_days: ir.Table,
    windows: ir.Table | None = None,
    category_windows: ir.Table | None = None,
) -> ir.Table:
    """Features of ``user_id`` as of ``as_of`` (UTC timestamp) for each distinct row of ``points``.

    Parameters
    ----------
    days, category_days
        Rollups of all days of the horizon before any point.
    windows, category_windows
        Tiles of the days of the points; without them every point is a day's end.

    Returns
    -------
    ``user_id, as_of``, then the user features of the feature catalogue; a user without events in the
    horizon has zero counts and nulls.
    """
    asked = moments(points, KEY)
    changes = [
        entering(days, (KEY,), {name: days[name] for name in SUMS}, TIMES),
        leaving(days, (KEY,), {name: days[name] for name in SUMS}),
    ]
    if windows is not None:
        changes += passing(windows, (KEY,), {name: windows[name] for name in SUMS}, TIMES)
    t = as_of(asked, KEY, changes, SUMS, first="first_event_time", latest=("last_event_time",))
    tastes = _tastes(asked, category_days, category_windows).rename(_user=KEY, _at="at")
    t = t.left_join(tastes, [t[KEY] == tastes._user, t["at"] == tastes._at])
    some = t.events > 0
    return t.select(
        KEY,
        as_of=asked_time(t["at"]),
        total_events=t.events,
        clicks=t.clicks,
        purchases=t.purchases,
        add_to_carts=t.add_to_carts,
        purchase_rate=(t.purchases.cast("float64") / t.clicks.nullif(0)).coalesce(0.0),
        categories_viewed=t.categories_viewed.coalesce(0),
        favorite_category=t.favorite_category,
        avg_price_point=t.price_sum.cast("float64") / t.price_count.nullif(0) / float(MONEY),
        avg_time_on_page=t.duration_sum.cast("float64") / t.duration_count.nullif(0),
        first_event_time=moment(some.ifelse(t.first_event_time, ibis.null("int64"))),
        last_event_time=moment(some.ifelse(t.last_event_time, ibis.null("int64"))),
    )


def _tastes(asked: ir.Table, days: ir.Table, windows: ir.Table | None) -> ir.Table:
    """``categories_viewed`` and ``favorite_category`` at each of ``asked`` with any category.

    How often a user met a category is constant between two changes, so a point meets at most one
    stretch of each category.
    """
    key = (KEY, "category")
    seen = days.select("category")
    changes = [
        entering(days, key, {"events": days.events}),
        leaving(days, key, {"events": days.events}),
    ]
    if windows is not None:
        seen = seen.union(windows.select("category"))
        changes += passing(windows, key, {"events": windows.events})
    distinct = seen.distinct()
    codes = distinct.select("category", code=ibis.row_number().over(order_by=distinct.category))
    coded = ibis.union(*seen_by(asked, changes)).join(codes, "category")
    steps = coded.group_by(KEY, "code", "at").agg(events=coded.events.sum())
    in_time = ibis.window(group_by=[steps[KEY], steps.code], order_by=steps["at"])
    so_far = ibis.window(group_by=[steps[KEY], steps.code], order_by=steps["at"], preceding=None, following=0)
    stretches = steps.select(
        _user=steps[KEY],
        code=steps.code,
        since=steps["at"],
        until=steps["at"].lead().over(in_time).coalesce(2**62),
        events=steps.events.sum().over(so_far),
    )
    stretches = stretches.filter(stretches.events > 0)
    met = asked.join(
        stretches,
        [
            asked[KEY] == stretches._user,
            stretches.since <= asked["at"],
            asked["at"] < stretches.until,
        ],
    )
    # Most events first, then the first by name: codes are in order of names.
    best = met.group_by(KEY, "at").agg(
        categories_viewed=met.count(), best=(met.events * _CODES + (_CODES - 1 - met.code)).max()
    )
    best = best.mutate(code=_CODES - 1 - best.best % _CODES)
    named = codes.rename(favorite_category="category")
    return best.join(named, "code").select(KEY, "at", "categories_viewed", "favorite_category")
