"""Products of the simulated shop: taste, brand, price, quality, popularity, successors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reco_assets.simulator import graph, vocabulary
from reco_assets.simulator.latent import TASTES, Floats, Int32s, identifiers, normal, unit
from reco_assets.simulator.parameters import Parameters


@dataclass(frozen=True)
class Products:
    """Rows of products, sorted by leaf category.

    Attributes
    ----------
    ids
        ``string[n]``.
    vectors
        ``float32[n, DIMENSIONS]``.
    leaf, leaf_starts
        ``int32[n]`` and ``int64[leaves + 1]``: rows ``leaf_starts[l]:leaf_starts[l + 1]``.
    brand, style, tier, colour
        ``int32[n]`` rows of the vocabulary's tables.
    price
        ``float64[n]``, at the start.
    quality, popularity
        ``float32[n]`` standard normal, ``float64[n]`` log weight.
    launched
        ``int32[n]``, first day.
    substitutes, complements
        ``int32[n, graph.SUBSTITUTES]`` and ``int32[n, graph.COMPLEMENTS]``, strongest first, -1 none;
        directed: a product's successor seldom leads back.
    """

    ids: pa.StringArray
    vectors: Floats
    leaf: Int32s
    leaf_starts: npt.NDArray[np.int64]
    brand: Int32s
    style: Int32s
    tier: Int32s
    colour: Int32s
    price: npt.NDArray[np.float64]
    quality: Floats
    popularity: npt.NDArray[np.float64]
    launched: Int32s
    substitutes: Int32s
    complements: Int32s


def draw_products(
    random: np.random.Generator, parameters: Parameters, leaves: list[vocabulary.Leaf], centres: Floats
) -> Products:
    """Products spread over ``leaves``, whose taste vectors are ``centres``."""
    count = parameters.products
    sizes = random.dirichlet(np.full(len(leaves), 6.0))
    least = min(8, count // len(leaves))  # each product has neighbours of its own kind
    rest = random.choice(len(leaves), count - least * len(leaves), p=sizes)
    leaf = np.sort(np.concatenate([np.repeat(np.arange(len(leaves)), least), rest])).astype(np.int32)
    starts = np.searchsorted(leaf, np.arange(len(leaves) + 1)).astype(np.int64)

    department = np.array([one.department for one in leaves], np.int32)[leaf]
    brand = department * vocabulary.BRANDS_OF_DEPARTMENT + np.minimum(
        random.geometric(0.2, count) - 1, vocabulary.BRANDS_OF_DEPARTMENT - 1
    )
    own = unit(normal(random, count, TASTES))
    styles = unit(normal(random, len(vocabulary.STYLES), TASTES))
    style = np.argmax(own @ styles.T, axis=1)
    makers = unit(normal(random, 8 * vocabulary.BRANDS_OF_DEPARTMENT, TASTES))
    taste = unit(0.9 * centres[leaf] + 0.6 * makers[brand] + 0.5 * styles[style] + 0.4 * own)

    quality = normal(random, count)
    dear = np.clip(0.5 * quality + 0.85 * normal(random, count), -2.5, 2.5)
    median = np.array([one.price for one in leaves])[leaf]
    price = np.maximum(0.5, np.round(median * np.exp(0.45 * dear), 2))
    popularity = parameters.popularity_tail * random.standard_normal(count) + 0.3 * quality
    launched = np.where(
        random.random(count) < parameters.new_products, random.integers(0, parameters.days, count), 0
    ).astype(np.int32)
    launched[starts[:-1]] = 0  # a category is never empty
    substitutes, complements = graph.successors(random, taste, leaf, starts)
    return Products(
        ids=identifiers("p", random.permutation(count) + 1),
        vectors=np.ascontiguousarray(np.column_stack([taste, 0.4 * quality, 0.4 * dear]), np.float32),
        leaf=leaf,
        leaf_starts=starts,
        brand=brand.astype(np.int32),
        style=style.astype(np.int32),
        tier=np.digitize(dear, [-0.84, -0.25, 0.25, 0.84]).astype(np.int32),
        colour=random.integers(0, len(vocabulary.COLOURS), count).astype(np.int32),
        price=price,
        quality=quality,
        popularity=popularity,
        launched=launched,
        substitutes=substitutes,
        complements=complements,
    )
