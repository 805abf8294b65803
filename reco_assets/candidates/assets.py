"""One asset a candidate source, learned from the whole history."""

from typing import Final

import dagster as dg
import numpy as np

from reco_assets.candidates.complements import Complements
from reco_assets.candidates.content import ContentNeighbours
from reco_assets.candidates.covisitation import AlsoViewed, BoughtTogether, NextViewed, ViewedThenBought
from reco_assets.candidates.factors import Factors
from reco_assets.candidates.habits import HabitSource
from reco_assets.candidates.item_item import ItemItem
from reco_assets.candidates.popular import BrandPopular, CategoryPopular, Popular
from reco_assets.candidates.repeat import Repeat
from reco_assets.candidates.retriever import Retriever
from reco_assets.candidates.session_neighbours import SessionNeighbours
from reco_assets.candidates.trending import Trending
from reco_assets.interactions.assets import load_learning_log
from reco_assets.monitoring.checks import results, specs
from reco_assets.monitoring.findings import Finding
from reco_assets.monitoring.metadata import table_metadata
from reco_assets.platform.resources import Platform

#: What the columns of the sources' tables are.
_COLUMNS: Final = {
    "product_id": "The product.",
    "neighbour_id": "A product that goes with it.",
    "category": "Category path.",
    "brand": "Brand.",
    "rank": "Place in the list, the best 0.",
    "score": "How much the source thinks of it; comparable within one source.",
    "factors": "Latent factors of the product.",
    "days": "Days since the purchase: the start of the bin.",
    "rate": "Purchases again a day at that age.",
    "occurrences": "Times that it is remembered and looked up.",
    "returning": "People who had to do with it on two days or more.",
}


def _source(source: type[Retriever], description: str, *kinds: str) -> dg.AssetsDefinition:
    name = f"candidates_{source.name}"

    @dg.asset(
        name=name,
        group_name="candidates",
        deps=["learning_log"],
        description=description,
        kinds={"polars", "delta", *kinds},
        owners=["team:ml"],
        check_specs=specs(name, "covers_the_catalogue"),
    )
    def fitted(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
        history, as_of = load_learning_log(platform)
        retriever = source.fit(history.log, history.items, as_of)
        platform.artifacts().save(name, retriever.arrays(), {"as_of": as_of, "items": len(history.items)})
        table = retriever.table(history.items)
        version = platform.lake().replace(f"gold/{name}", table.to_arrow(), as_of=str(as_of))
        spoken_for = table.select(table.columns[0]).n_unique()
        finding = Finding(
            "covers_the_catalogue",
            # content has nothing to say of a catalogue without words, nor purchases of a shop without sales
            all(bool(np.isfinite(values).all()) for values in retriever.arrays().values()),
            f"{spoken_for:,} of {len(history.items):,} products, every number finite",
            facts={"products": spoken_for},
        )
        return dg.MaterializeResult(
            metadata=table_metadata(table, version=version, descriptions=_COLUMNS),
            check_results=results(name, finding),
        )

    return fitted


also_viewed = _source(AlsoViewed, "What people opened next, with order and distance.", "numba")
next_viewed = _source(NextViewed, "What people opened straight after.", "numba")
viewed_then_bought = _source(ViewedThenBought, "What those who looked at it bought.", "numba")
bought_together = _source(BoughtTogether, "What the same person bought within a day.", "numba")
session_neighbours = _source(SessionNeighbours, "Visits remembered: what others did next.", "numba")
item_item = _source(ItemItem, "Which products speak for which, from all sets at once (EASE).", "scipy")
factors = _source(Factors, "Implicit ALS item factors; a person is folded in on request.", "numpy")
content = _source(ContentNeighbours, "Products alike in title words, category and brand.", "numba")
repeat = _source(Repeat, "When people buy each product again.", "numba")
habits = _source(HabitSource, "What people come back to, by all their events.", "numba")
complements = _source(Complements, "Popular products of the categories that people turn to next.", "numba")
category_popular = _source(CategoryPopular, "The most popular products of each category.")
brand_popular = _source(BrandPopular, "The most popular products of each brand.")
trending = _source(Trending, "Products above their own past.")
popular = _source(Popular, "Weighted events of everybody, halved every week.")
