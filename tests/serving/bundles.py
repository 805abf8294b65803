"""Small real bundles: three categories of products, a few people, every source fitted."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import polars as pl

from reco_assets.candidates.sources import Sources
from reco_assets.catalogue.items import ItemTable, item_table
from reco_assets.features.catalogue import PRODUCT_FEATURES, catalogue_hash
from reco_assets.interactions.log import InteractionLog
from reco_assets.recommender.bundle import Bundle, Manifest

CATEGORIES = ("garden > pots", "garden > seeds", "tools")
NOW = 1_772_000_000_000_000
PRODUCTS = 60


@cache
def items() -> ItemTable:
    """Products p0 to p59, the categories in turn."""
    frame = pl.DataFrame(
        {
            "product_id": [f"p{number}" for number in range(PRODUCTS)],
            "title": [f"{CATEGORIES[number % 3]} number {number}" for number in range(PRODUCTS)],
            "category": [CATEGORIES[number % 3] for number in range(PRODUCTS)],
            "brand": [f"brand {number % 5}" for number in range(PRODUCTS)],
            "price": [5.0 + number for number in range(PRODUCTS)],
            "inventory": None,
            "valid_from": 0,
        },
        schema_overrides={"inventory": pl.Int64, "valid_from": pl.Datetime("us", "UTC")},
    )
    return item_table(frame)


@cache
def sources() -> Sources:
    """Fitted on 40 people who each stay mostly in one category."""
    rng = np.random.default_rng(3)
    users, each = 40, 20
    taste = np.repeat(rng.integers(0, 3, users), each)
    numbers = rng.integers(0, PRODUCTS // 3, users * each) * 3 + taste
    ids = items().ids.tolist()
    rows = np.array([ids.index(f"p{number}") for number in numbers], np.int32)
    log = InteractionLog(
        user=np.repeat(np.arange(users, dtype=np.int32), each),
        item=rows,
        kind=rng.choice(np.array([0, 0, 0, 1, 3], np.int8), users * each),
        time=NOW - 10**12 + np.arange(users * each, dtype=np.int64) * 10**9,
        user_ids=pl.Series([f"u{number}" for number in range(users)]),
        n_items=PRODUCTS,
    )
    return Sources.fit(log, items(), NOW)


def bundle(version: str) -> Bundle:
    """A bundle named ``version``, without a ranker."""
    return Bundle(
        manifest=Manifest(version, NOW, NOW, catalogue_hash()),
        items=items(),
        sources=sources(),
        product_matrix=np.ones((PRODUCTS, len(PRODUCT_FEATURES)), np.float32),
        ranker=None,
    )


def damage(folder: Path) -> None:
    """Flip the bits of one byte of the product features of the bundle in ``folder``."""
    file = folder / "arrays" / "product_matrix.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 0xFF
    file.write_bytes(content)
