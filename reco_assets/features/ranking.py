"""The ranker's input: the only code that builds it, for a training row as for a live request."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from reco_assets.features.catalogue import (
    LINKS,
    PRODUCT_FEATURES,
    RANKING_FEATURES,
    SOURCE_SCORES,
    USER_FEATURES,
    names,
)

Floats = npt.NDArray[np.float32]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Int8s = npt.NDArray[np.int8]

_U: Final = len(USER_FEATURES)
_P: Final = len(PRODUCT_FEATURES)
_USER_RATE: Final = names(USER_FEATURES).index("purchase_rate")
_USER_PRICE: Final = names(USER_FEATURES).index("avg_price_point")
_PRODUCT_PRICE: Final = names(PRODUCT_FEATURES).index("price")
_S: Final = len(SOURCE_SCORES)
_L: Final = len(LINKS)
_WIDTH: Final = len(RANKING_FEATURES)
_HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 86_400_000_000

#: purchase_tier: high above the first rate, medium above the second, else low.
TIER_HIGH: Final = np.float32(0.1)
TIER_MEDIUM: Final = np.float32(0.05)


@njit(cache=True)
def _ratio(price: np.float32, to: np.float32 | float) -> np.float32 | float:
    """``price / to``; unknown where there is no price above 0 to compare with."""
    return price / to if to > 0.0 else np.nan


@njit(cache=True)
def _places(scores: Floats) -> Floats:
    """Place of each positive score within its column: how many are above it; NaN for the others."""
    n, sources = scores.shape
    out = np.full(scores.shape, np.nan, np.float32)
    said = np.empty(n, np.float32)
    rows = np.empty(n, np.int64)
    for s in range(sources):
        count = 0
        for c in range(n):
            said[count] = scores[c, s]
            rows[count] = c
            count += scores[c, s] > 0
        # each with each, many at a time: a sort of so few takes longer
        for k in range(count):
            score = said[k]
            above = np.int32(0)
            for other in said[:count]:
                above += np.int32(other > score)
            out[rows[k], s] = above
    return out


@njit(cache=True)
def _fill(
    out: Floats,
    keep: Int64s,
    user: Floats,
    favorite_category: int,
    items: Int32s,
    kinds: Int8s,
    times: Int64s,
    bought: Int32s,
    candidates: Int32s,
    scores: Floats,
    links: Floats,
    products: Floats,
    category: Int32s,
    department: Int32s,
    brand: Int32s,
    first_seen: Int64s,
    now: int,
    hour: int,
    weekday: int,
    device: int,
) -> None:
    n = len(items)
    sources = scores.shape[1]
    price_sum = np.float32(0.0)
    price_count = 0
    distinct = 0
    departments = 0
    clicks = 0
    carts = 0
    for h in range(n):
        price = products[items[h], _PRODUCT_PRICE]
        if price == price:
            price_sum += price
            price_count += 1
        first = True
        first_department = True
        for other in range(h):
            if items[other] == items[h]:
                first = False
            if department[items[other]] == department[items[h]]:
                first_department = False
        distinct += first
        departments += first_department and department[items[h]] >= 0
        clicks += kinds[h] == 0
        carts += kinds[h] == 1
    session_price = price_sum / price_count if price_count > 0 else np.float32(np.nan)
    hours_since_last = np.float32((now - times[n - 1]) / _HOUR_US) if n > 0 else np.float32(np.nan)
    span_hours = np.float32((times[n - 1] - times[0]) / _HOUR_US) if n > 0 else np.float32(np.nan)
    rate = user[_USER_RATE]
    tier = 2.0 if rate > TIER_HIGH else (1.0 if rate > TIER_MEDIUM else 0.0)
    last = items[n - 1] if n > 0 else -1
    weights = np.empty(n, np.float32)
    total = np.float32(0.0)
    for h in range(n):
        weights[h] = np.float32(1.0) / np.float32(n - h)
        total += weights[h]
    # side by side, what is compared with every candidate
    item_category, item_department, item_brand = category[items], department[items], brand[items]
    places = _places(scores)
    best = np.zeros(sources, np.float32)
    for c in range(len(candidates)):
        for s in range(sources):
            best[s] = max(best[s], scores[c, s])
    for k in range(len(keep)):
        c = keep[k]
        row = candidates[c]
        at = 0
        for f in range(_U):
            out[k, at] = user[f]
            at += 1
        for f in range(_P):
            out[k, at] = products[row, f]
            at += 1
        proposed = 0
        for s in range(sources):
            out[k, at] = scores[c, s]
            proposed += scores[c, s] > 0
            at += 1
        for s in range(sources):
            out[k, at] = scores[c, s] / best[s] if best[s] > 0 else 0.0
            at += 1
        for s in range(sources):
            out[k, at] = places[c, s]
            at += 1
        for link in range(links.shape[1]):
            out[k, at] = links[c, link]
            at += 1
        out[k, at] = proposed
        same_category = np.float32(0.0)
        same_department = np.float32(0.0)
        same_brand = np.float32(0.0)
        seen = 0
        seen_carts = 0
        last_seen = 0
        last_place = 0
        own_category, own_department, own_brand = category[row], department[row], brand[row]
        for h in range(n):
            if own_category >= 0 and item_category[h] == own_category:
                same_category += weights[h]
            if own_department >= 0 and item_department[h] == own_department:
                same_department += weights[h]
            if own_brand >= 0 and item_brand[h] == own_brand:
                same_brand += weights[h]
            if items[h] == row:
                seen += 1
                seen_carts += kinds[h] == 1
                last_seen = times[h]
                last_place = h
        if total > 0:
            same_category /= total
            same_department /= total
            same_brand /= total
        was_bought = 0.0
        for b in bought:
            if b == row:
                was_bought = 1.0
        price = products[row, _PRODUCT_PRICE]
        out[k, at + 1] = same_category
        out[k, at + 2] = same_department
        out[k, at + 3] = same_brand
        out[k, at + 4] = 1.0 if last >= 0 and own_category >= 0 and category[last] == own_category else 0.0
        out[k, at + 5] = 1.0 if favorite_category >= 0 and own_category == favorite_category else 0.0
        out[k, at + 6] = _ratio(price, user[_USER_PRICE])
        out[k, at + 7] = _ratio(price, session_price)
        out[k, at + 8] = seen
        out[k, at + 9] = seen_carts
        out[k, at + 10] = was_bought
        out[k, at + 11] = (now - last_seen) / _HOUR_US if seen > 0 else np.nan
        out[k, at + 12] = n - 1 - last_place if seen > 0 else np.nan
        out[k, at + 13] = (now - first_seen[row]) / _DAY_US
        out[k, at + 14] = n
        out[k, at + 15] = distinct
        out[k, at + 16] = departments
        out[k, at + 17] = clicks
        out[k, at + 18] = carts
        out[k, at + 19] = session_price
        out[k, at + 20] = hours_since_last
        out[k, at + 21] = span_hours
        out[k, at + 22] = tier
        out[k, at + 23] = hour
        out[k, at + 24] = weekday
        out[k, at + 25] = device


def ranking_features(
    user: Floats,
    favorite_category: int,
    items: Int32s,
    kinds: Int8s,
    times: Int64s,
    bought: Int32s,
    candidates: Int32s,
    scores: Floats,
    links: Floats,
    products: Floats,
    category: Int32s,
    department: Int32s,
    brand: Int32s,
    first_seen: Int64s,
    now: int,
    hour: int,
    weekday: int,
    device: int,
    keep: Int64s | None = None,
) -> Floats:
    """Features of every candidate for one person at one moment.

    Parameters
    ----------
    user
        ``float32[len(USER_FEATURES)]``, made of windows closed by ``now``.
    favorite_category
        Category code, or -1.
    items, kinds, times
        The person's last product events before ``now``, oldest first.
    bought
        Item rows bought before.
    candidates, scores, links
        ``int32[n]`` item rows, ``float32[n, sources]``, and ``float32[n, len(LINKS)]``: what single products
        of the history say of them.
    products
        ``float32[n_items, len(PRODUCT_FEATURES)]``, made of windows closed by ``now``.
    category, department, brand, first_seen
        Columns of the item table.
    now
        UTC microseconds.
    hour, weekday, device
        Context: 0-23, 0-6 from Monday, index into ``DEVICES``.
    keep
        Places in ``candidates`` of the rows wanted, all by default. A row says how a candidate stands
        among all of them, so it is the same whichever are wanted.

    Returns
    -------
    ``float32[n, len(RANKING_FEATURES)]``, columns in the order of the feature catalogue.
    """
    assert scores.shape[1] == _S, "one column a source, as the feature catalogue lists them"
    assert links.shape[1] == _L, "three columns a linked source, as the feature catalogue lists them"
    wanted = np.arange(len(candidates)) if keep is None else keep
    out = np.empty((len(wanted), _WIDTH), np.float32)
    _fill(
        out, wanted, user, favorite_category, items, kinds, times, bought, candidates, scores, links,
        products,        category, department, brand, first_seen, now, hour, weekday, device,
    )  # fmt: skip
    return out
