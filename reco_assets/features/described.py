"""What the columns of the window and feature tables hold, beside those that say whose they are."""

from __future__ import annotations

from typing import Final

from reco_assets.features.catalogue import all_features

#: What a tile or a day sums, all of it integers; money is in units of 0.0001.
_SUMS: Final = {
    "events": "Events of any type but impressions.",
    "impressions": "Times it was shown.",
    "clicks": "Product pages opened.",
    "add_to_carts": "Products put into a cart.",
    "remove_from_carts": "Products taken out of a cart.",
    "purchases": "Purchase events.",
    "favorites": "Products marked as a favorite.",
    "rates": "Ratings given.",
    "searches": "Searches.",
    "price_sum": "Prices of clicked products, summed, in units of 0.0001.",
    "price_count": "Clicks whose price is known.",
    "spend": "Price x units of purchases, in units of 0.0001.",
    "duration_sum": "Time on pages, summed, milliseconds.",
    "duration_count": "Pages whose time was measured.",
    "quantity": "Units bought.",
    "revenue": "Price x units of purchases, in units of 0.0001.",
    "rating_sum": "Stars, summed, in units of 0.0001.",
    "rating_count": "Ratings.",
    "first_event_time": "Time of the first event.",
    "last_event_time": "Time of the last event.",
}


def sums_described() -> dict[str, str]:
    """Columns of tables of tiles and days."""
    return dict(_SUMS)


def features_described(entity: str) -> dict[str, str]:
    """Columns of the feature table of an ``entity``: user or product."""
    return {feature.name: feature.description for feature in all_features() if feature.entity == entity}
