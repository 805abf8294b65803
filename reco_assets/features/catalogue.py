"""The feature catalogue: every feature once, with its unit, lifetime, default and origin.

Documents, the online layout, skew checks and model signatures are made from these tuples.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from math import nan
from typing import Final, Literal

Entity = Literal["user", "product", "session", "request", "pair"]
Dtype = Literal["float32", "int64", "string", "timestamp"]

USER_TTL_DAYS: Final = 30
PRODUCT_TTL_DAYS: Final = 7

#: How far back the windowed features look, in whole days before the current one.
HORIZON_DAYS: Final = 30


@dataclass(frozen=True)
class Feature:
    """One feature.

    Attributes
    ----------
    entity
        What it belongs to; a ``pair`` is a user and a candidate product.
    ttl_days
        How long an online value lives; 0 for what is computed on request and never stored.
    default
        Value where nothing is known; NaN or None says "unknown" to the ranker.
    source
        The table, or the rule, that it is made from.
    """

    name: str
    entity: Entity
    dtype: Dtype
    unit: str
    ttl_days: int
    default: float | str | None
    description: str
    source: str


def _user(name: str, unit: str, description: str, default: float | None = 0.0) -> Feature:
    return Feature(name, "user", "float32", unit, USER_TTL_DAYS, default, description, "gold/user_features")


def _product(
    name: str, unit: str, description: str, default: float = 0.0, source: str = "gold/product_features"
) -> Feature:
    return Feature(name, "product", "float32", unit, PRODUCT_TTL_DAYS, default, description, source)


#: The numeric user features, in the order of the online ``float32`` vector.
USER_FEATURES: Final[tuple[Feature, ...]] = (
    _user("total_events", "events", "Events of any type but impressions in the horizon."),
    _user("clicks", "events", "Product pages opened in the horizon."),
    _user("purchases", "events", "Purchase events in the horizon."),
    _user("add_to_carts", "events", "Products put into the cart in the horizon."),
    _user("purchase_rate", "purchases per click", "purchases / clicks; 0 without clicks."),
    _user("categories_viewed", "categories", "Distinct known categories among the events."),
    _user("avg_price_point", "currency", "Mean price of clicked products; unknown without one.", nan),
    _user("avg_time_on_page", "ms", "Mean time on page where it was measured; unknown without one.", nan),
)

#: What a user has beside the vector; times are kept as int64 since float32 would lose minutes.
USER_ATTRIBUTES: Final[tuple[Feature, ...]] = (
    Feature(
        "favorite_category", "user", "string", "category", USER_TTL_DAYS, None,
        "Category with the most events in the horizon; ties go to the first by name.",
        "gold/user_features",
    ),
    Feature(
        "first_event_time", "user", "timestamp", "us UTC", USER_TTL_DAYS, None,
        "Time of the first event in the horizon.", "gold/user_features",
    ),
    Feature(
        "last_event_time", "user", "timestamp", "us UTC", USER_TTL_DAYS, None,
        "Time of the last event in the horizon.", "gold/user_features",
    ),
)  # fmt: skip

#: The numeric product features, in the order of the online ``float32`` vector.
PRODUCT_FEATURES: Final[tuple[Feature, ...]] = (
    _product("popularity_score", "log points", "log(1 + clicks + 3 add_to_carts + 10 purchases)."),
    _product("conversion_rate", "purchases per click", "(purchases + 1) / (clicks + 50).", 0.02),
    _product("avg_rating", "stars", "Mean rating in the horizon; 0 without one."),
    _product("trend", "log ratio", "log((w + 1) / (v + 1)): weighted events of 7 days and the 7 before."),
    _product("clicks", "events", "Times its page was opened in the horizon."),
    _product("purchases", "events", "Purchase events in the horizon."),
    _product("add_to_carts", "events", "Times it was put into a cart in the horizon."),
    _product("price", "currency", "Price as of the moment; unknown if never seen.", nan, "silver/products"),
    _product("inventory_level", "units", "Stock as of the moment; unknown where never seen.", nan,
             "silver/products"),
)  # fmt: skip

#: What a product has beside the vector.
PRODUCT_ATTRIBUTES: Final[tuple[Feature, ...]] = (
    Feature(
        "category", "product", "string", "category", PRODUCT_TTL_DAYS, None,
        "Category path as of the moment.", "silver/products",
    ),
)  # fmt: skip


def _computed(entity: Entity, name: str, unit: str, description: str, source: str) -> Feature:
    return Feature(name, entity, "float32", unit, 0, None, description, source)


#: One score a candidate source, in the order of ``candidates.sources.SOURCES``.
SOURCE_SCORES: Final[tuple[Feature, ...]] = tuple(
    _computed("pair", f"score_{name}", "score", description, "candidates")
    for name, description in (
        ("also_viewed", "Neighbours of the recent items by what people opened around them."),
        ("next_viewed", "Share of people who went straight on to it from the last items."),
        ("viewed_then_bought", "Neighbours of the recent items by what their viewers bought."),
        ("bought_together", "Neighbours of the recent items by common purchases."),
        ("session_neighbours", "What others did next who did the same."),
        ("item_item", "What all the person's items together speak for, whatever their order."),
        ("factors", "Dot product of the item's factors and the person's folded-in ones."),
        ("content", "Neighbours of the recent items by title, category and brand."),
        ("repeat", "Purchases of it to be expected in a week, of what the person saw or bought."),
        ("habits", "The person's own events on it by their kinds, halved in 30 days."),
        ("complements", "Popular items of the categories that follow the recent ones."),
        ("category_popular", "Place among the popular items of the recent categories."),
        ("brand_popular", "Place among the popular items of the recent brands."),
        ("trending", "Root of the deviance above the item's own past."),
        ("popular", "Weighted events of everybody, halved every week."),
    )
)

#: How each source's word stands among its words for the other candidates of the same answer: what is
#: left when a source's scale is taken away, which follows how much of a history there is.
SOURCE_SHARES: Final[tuple[Feature, ...]] = tuple(
    _computed(
        "pair", f"share_{score.name.removeprefix('score_')}", "share",
        "That score / the source's best among the candidates.", "candidates",
    )
    for score in SOURCE_SCORES
)  # fmt: skip
SOURCE_PLACES: Final[tuple[Feature, ...]] = tuple(
    _computed(
        "pair", f"place_{score.name.removeprefix('score_')}", "place",
        "How many of the candidates have more of that score; unknown where it is not above 0.",
        "candidates",
    )
    for score in SOURCE_SCORES
)  # fmt: skip
#: What one product of the history alone says, by each of ``candidates.sources.LINKED``.
LINKS: Final[tuple[Feature, ...]] = tuple(
    _computed("pair", f"{name}_{source}", unit, description, "candidates")
    for source in ("also_viewed", "next_viewed")
    for name, unit, description in (
        ("last", "score", "What the last item alone says of it by that source."),
        ("most", "score", "The most that one of the last 10 items says of it by that source."),
        ("named", "items", "How many of the last 10 items name it by that source."),
    )
)

_HISTORY: Final = "session: the person's last product events"
_CONTEXT: Final = "request"

#: The columns of the ranker's matrix, in order; ``features/ranking.py`` computes exactly these.
RANKING_FEATURES: Final[tuple[Feature, ...]] = (
    *(_computed("request", f"user_{f.name}", f.unit, f.description, f.source) for f in USER_FEATURES),
    *(_computed("request", f"product_{f.name}", f.unit, f.description, f.source) for f in PRODUCT_FEATURES),
    *SOURCE_SCORES,
    *SOURCE_SHARES,
    *SOURCE_PLACES,
    *LINKS,
    _computed("pair", "sources", "sources", "How many sources score the item above 0.", "candidate sources"),
    _computed("pair", "recent_category", "share", "Share of its category in the history, 1/rank.", _HISTORY),
    _computed("pair", "recent_department", "share", "Share of its department in the history.", _HISTORY),
    _computed("pair", "recent_brand", "share", "Share of its brand in the history.", _HISTORY),
    _computed("pair", "last_category", "0 or 1", "It is of the last item's category.", _HISTORY),
    _computed("pair", "favorite_category", "0 or 1", "It is of the favorite category.", "gold/user_features"),
    _computed("pair", "price_to_user", "ratio", "Its price / the user's price point.", "gold/user_features"),
    _computed("pair", "price_to_session", "ratio", "Its price / the history's mean price.", _HISTORY),
    _computed("pair", "seen", "events", "Events of the history that are on it.", _HISTORY),
    _computed("pair", "seen_in_cart", "events", "Of these, put into the cart.", _HISTORY),
    _computed("pair", "bought_before", "0 or 1", "The person bought it before.", "silver/interactions"),
    _computed("pair", "hours_since_seen", "hours", "Since the last of these; unknown if none.", _HISTORY),
    _computed("pair", "events_since_seen", "events", "Of the history, after the last of these.", _HISTORY),
    _computed("pair", "product_age", "days", "Since the product was first known.", "silver/products"),
    _computed("session", "session_events", "events", "Length of the history.", _HISTORY),
    _computed("session", "session_products", "products", "Distinct products of the history.", _HISTORY),
    _computed("session", "session_departments", "departments", "Distinct departments of it.", _HISTORY),
    _computed("session", "session_clicks", "events", "Clicks of the history.", _HISTORY),
    _computed("session", "session_carts", "events", "Products put into the cart in it.", _HISTORY),
    _computed("session", "session_price", "currency", "Mean price of the history.", _HISTORY),
    _computed("session", "hours_since_last", "hours", "Since the last event.", _HISTORY),
    _computed("session", "session_span", "hours", "From its first event to its last.", _HISTORY),
    _computed("request", "purchase_tier", "0, 1, 2", "high above 0.1, medium above 0.05, else low.",
              "gold/user_features purchase_rate"),
    _computed("request", "hour", "0-23", "Hour of the day.", _CONTEXT),
    _computed("request", "weekday", "0-6", "Day of the week from Monday.", _CONTEXT),
    _computed("request", "device", "code", "Index into the known devices.", _CONTEXT),
)  # fmt: skip


def names(features: tuple[Feature, ...]) -> tuple[str, ...]:
    """Names of ``features`` in order."""
    return tuple(feature.name for feature in features)


def all_features() -> tuple[Feature, ...]:
    """Every feature of the catalogue, in the order in which documents list them."""
    return USER_FEATURES + USER_ATTRIBUTES + PRODUCT_FEATURES + PRODUCT_ATTRIBUTES + RANKING_FEATURES


def catalogue_hash() -> str:
    """Sixteen hex digits that change when a stored or ranked value changes its place or meaning.

    Covers order, name, entity, type, unit and default; prose may be reworded freely.
    """
    rows = [[f.name, f.entity, f.dtype, f.unit, repr(f.default)] for f in all_features()]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]
