"""Small shops with a fitted bundle, made from a seed; and a ranker that learned something, whatever."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import xgboost

from reco_assets.candidates.sources import Sources
from reco_assets.features.catalogue import (
    PRODUCT_FEATURES,
    RANKING_FEATURES,
    USER_FEATURES,
    catalogue_hash,
    names,
)
from reco_assets.recommender.bundle import Bundle, Manifest
from reco_assets.recommender.ranker import Ranker
from reco_assets.recommender.types import UserState
from tests.candidates.shops import DAY, NOW, Product, log, random_log, shop

_PRICE = names(PRODUCT_FEATURES).index("price")
_STOCK = names(PRODUCT_FEATURES).index("inventory_level")


@cache
def ranker(trees: int = 8) -> Ranker:
    """A ranker trained on noise: its scores mean nothing, but they differ."""
    rng = np.random.default_rng(3)
    features = rng.normal(size=(400, len(RANKING_FEATURES))).astype(np.float32)
    features[rng.random(features.shape) < 0.2] = np.nan
    decisions = xgboost.DMatrix(features, rng.integers(0, 4, 400), group=[40] * 10)
    parameters = {"objective": "rank:ndcg", "max_depth": 4, "nthread": 1}
    return Ranker(xgboost.train(parameters, decisions, trees))


@dataclass(frozen=True)
class Shape:
    """What a random shop is made from; ``categories`` 0 means that none is known."""

    products: int
    categories: int
    events: int
    sold_out: float
    with_ranker: bool
    seed: int


@cache
def bundle(shape: Shape) -> Bundle:
    """The bundle of a random shop."""
    rng = np.random.default_rng(shape.seed)
    items = shop(
        *(
            Product(
                f"p{n:03d}",
                title=f"kind{rng.integers(5)} model{rng.integers(5)}",
                category=f"c{rng.integers(shape.categories)}"
                if rng.random() < min(shape.categories, 0.9)
                else None,
                brand=f"b{rng.integers(3)}",
            )
            for n in range(shape.products)
        )
    )
    events = random_log(items, 8, shape.events, shape.seed) if shape.products else log(items)
    matrix = rng.random((shape.products, len(PRODUCT_FEATURES))).astype(np.float32)
    matrix[:, _PRICE] = np.where(
        rng.random(shape.products) < 0.2, np.nan, rng.integers(0, 50, shape.products)
    )
    matrix[:, _STOCK] = np.where(rng.random(shape.products) < shape.sold_out, 0.0, 5.0)
    matrix[rng.random(shape.products) < 0.2, _STOCK] = np.nan
    return Bundle(
        Manifest(f"seed-{shape.seed}", NOW, NOW, catalogue_hash()),
        items,
        Sources.fit(events, items, NOW),
        matrix,
        ranker() if shape.with_ranker else None,
    )


def state(products: int, seen: list[int], kinds: list[int], bought: list[int]) -> UserState:
    """Somebody who did ``kinds`` to the rows ``seen``, an hour apart, and bought ``bought`` before."""
    known = len(seen) if products else 0
    return UserState(
        features=np.linspace(0.0, 3.0, len(USER_FEATURES)).astype(np.float32),
        favorite_category=0 if known % 2 else -1,
        items=np.array(seen[:known], np.int32) % max(products, 1),
        kinds=np.array(kinds[:known], np.int8),
        times=NOW - np.arange(known, 0, -1, dtype=np.int64) * DAY // 24,
        bought=np.array(bought if products else [], np.int32) % max(products, 1),
    )
