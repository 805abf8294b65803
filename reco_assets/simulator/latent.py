"""The latent space that users and products share, and the names of their rows."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from reco_assets.simulator.vocabulary import GROUP_SIZE, Leaf

Floats = npt.NDArray[np.float32]
Int32s = npt.NDArray[np.int32]

#: Taste dimensions; two more carry quality and price, so that utility is one dot product.
TASTES: Final = 14
DIMENSIONS: Final = TASTES + 2


def leaf_centres(random: np.random.Generator, leaves: list[Leaf]) -> Floats:
    """Unit taste vector of each leaf ``float32[leaves, TASTES]``; those of a department are near."""
    departments = normal(random, 8, TASTES)
    groups = normal(random, len(leaves) // GROUP_SIZE, TASTES)
    own = normal(random, len(leaves), TASTES)
    department = np.array([leaf.department for leaf in leaves])
    group = np.arange(len(leaves)) // GROUP_SIZE
    return unit(departments[department] + 0.7 * groups[group] + 0.5 * own)


def unit(vectors: Floats) -> Floats:
    """Each row scaled to length one."""
    scaled: Floats = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled


def normal(random: np.random.Generator, *shape: int) -> Floats:
    """Standard normal ``float32[shape]``."""
    return random.standard_normal(shape, dtype=np.float32)


def identifiers(prefix: str, numbers: npt.NDArray[np.int64]) -> pa.StringArray:
    """Strings such as p000123, all of one width."""
    width = max(6, len(str(len(numbers))))
    return pa.array([f"{prefix}{number:0{width}d}" for number in numbers.tolist()], pa.string())
