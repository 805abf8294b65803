"""Product features as of given moments, one expression for daily tables, training rows and updates."""

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
)
from reco_assets.features.windows import DAY_US, MONEY, WATERMARK_US
from reco_assets.platform.engine import micros, moment

KEY: Final = "product_id"
#: Columns of a day's rollup, or of a tile, that the features are made from.
COUNTS: Final = ("clicks", "add_to_carts", "purchases", "rating_sum", "rating_count")
#: The trend compares the weighted events of this many days with those of as many days before.
TREND_DAYS: Final = 7
#: Days after which a day's rollup changes a value by leaving something.
HORIZONS: Final = (TREND_DAYS, 2 * TREND_DAYS, HORIZON_DAYS)
SUMS: Final = (*COUNTS, "recent", "earlier")

#: Columns of ``silver/products`` that are looked up.
ATTRIBUTES: Final = ("category", "price", "inventory")


def interest(rows: ir.Table) -> ir.IntegerValue:
    """Events weighted by what they say of interest in a product: a purchase is worth ten clicks."""
    weighted: ir.IntegerValue = rows.clicks + 3 * rows.add_to_carts + 10 * rows.purchases
    return weighted


def changed_at_day_ends(days: ir.Table, products: ir.Table, since_us: int, until_us: int) -> ir.Table:
    """Points ``product_id, as_of`` at the day ends within ``(since_us, until_us]`` that change a value.

    A value changes where a day's rollup enters or leaves a horizon, and where an attribute has
    changed during the day.
    """
    counted = days.filter(interest(days) + days.rating_count > 0)
    entered = counted.select(KEY, at=midnight_after(counted.event_date))
    left = [entered.mutate(at=entered["at"] + count * DAY_US) for count in HORIZONS]
    known = micros(products.valid_from) - WATERMARK_US
    # The midnight at or after: what is known at a day's end belongs to that day.
    told = products.select(KEY, at=known + (DAY_US - known % DAY_US) % DAY_US)
    ends = ibis.union(entered, *left, told)
    ends = ends.filter((ends["at"] > since_us) & (ends["at"] <= until_us)).distinct()
    return ends.select(KEY, as_of=moment(ends["at"] + WATERMARK_US))


def product_features(
    points: ir.Table, days: ir.Table, products: ir.Table, windows: ir.Table | None = None
) -> ir.Table:
    """Features of ``product_id`` as of ``as_of`` (UTC timestamp) for each distinct row of ``points``.

    Parameters
    ----------
    days
        Rollups of all days of the horizon before any point.
    products
        ``silver/products``; attributes are those valid at ``as_of`` itself.
    windows
        Tiles of the days of the points; without them every point is a day's end.

    Returns
    -------
    ``product_id, as_of``, then the product features of the feature catalogue.
    """
    asked = moments(points, KEY)
    counts = {name: days[name] for name in COUNTS}
    weight = interest(days)
    changes = [
        entering(days, (KEY,), counts | {"recent": weight}),
        leaving(days, (KEY,), {"recent": weight, "earlier": -weight}, TREND_DAYS),
        leaving(days, (KEY,), {"earlier": weight}, 2 * TREND_DAYS),
        leaving(days, (KEY,), counts),
        products.select(KEY, at=micros(products.valid_from) - WATERMARK_US, told=micros(products.valid_from)),
    ]
    if windows is not None:
        changes += passing(
            windows, (KEY,), {name: windows[name] for name in COUNTS} | {"recent": interest(windows)}
        )
    t = as_of(asked, KEY, changes, SUMS, latest=("told",))
    versions = products.select(
        *ATTRIBUTES, "valid_to", _product=products[KEY], _told=micros(products.valid_from)
    )
    t = t.left_join(versions, [t[KEY] == versions._product, t.told == versions._told])
    valid = t.valid_to.isnull() | (micros(t.valid_to) - WATERMARK_US > t["at"])
    return t.select(
        KEY,
        as_of=asked_time(t["at"]),
        category=valid.ifelse(t.category, ibis.null("string")),
        price=valid.ifelse(t.price, ibis.null("float64")),
        inventory_level=valid.ifelse(t.inventory, ibis.null("int64")),
        popularity_score=(interest(t) + 1).cast("float64").ln(),
        conversion_rate=(t.purchases + 1).cast("float64") / (t.clicks + 50).cast("float64"),
        avg_rating=(t.rating_sum.cast("float64") / t.rating_count.nullif(0) / float(MONEY)).coalesce(0.0),
        trend=((t.recent + 1).cast("float64") / (t.earlier + 1).cast("float64")).ln(),
        clicks=t.clicks,
        purchases=t.purchases,
        add_to_carts=t.add_to_carts,
    )
