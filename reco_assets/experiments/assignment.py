"""Who is shown which variant: pure, the same for the same user for ever, and without a table of users.

A user falls into one of 10,000 buckets of a layer, by a hash. A variant holds a set of buckets. It gets
more from those that nobody holds and gives up some of its own, so no change of a share moves anybody from
one variant to another. Which free buckets an experiment takes is drawn by its salt: the users of two
experiments that follow one another in a layer are mixed anew.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

import numpy as np
import numpy.typing as npt

from reco_assets.errors import BadInput
from reco_assets.experiments.definition import BUCKETS

Bools = npt.NDArray[np.bool_]

_BYTES: Final = 8


def bucket(layer: str, user: str) -> int:
    """Bucket of ``user`` in ``layer``, from 0 to below 10,000, each with the same chance.

    Layers are independent of one another: the layer's name salts the hash.
    """
    digest = blake2b(f"{layer}\0{user}".encode(), digest_size=_BYTES).digest()
    return int.from_bytes(digest, "big") % BUCKETS


def held(buckets: bytes) -> Bools:
    """Whether each bucket is held, ``bool[10000]``."""
    return np.unpackbits(np.frombuffer(buckets, np.uint8)).astype(np.bool_)


def packed(which: Bools) -> bytes:
    """What :func:`held` reads."""
    return np.packbits(which).tobytes()


def resized(own: Bools, taken: Bools, size: int, salt: str) -> Bools:
    """``own`` with ``size`` buckets: more from those not ``taken``, or fewer of its own.

    Raises
    ------
    BadInput
        There are not so many that nobody holds.
    """
    order = _order(salt)
    mine = order[own[order]]
    if size <= len(mine):
        chosen = mine[:size]
    else:
        free = order[~taken[order] & ~own[order]]
        wanted = size - len(mine)
        if wanted > len(free):
            raise BadInput(
                f"{wanted / BUCKETS:.2%} of the users are wanted, {len(free) / BUCKETS:.2%} are free",
                hint="stop an experiment of this layer, take a smaller share, or take another layer",
            )
        chosen = np.concatenate([mine, free[:wanted]])
    result = np.zeros(BUCKETS, np.bool_)
    result[chosen] = True
    return result


def _order(salt: str) -> npt.NDArray[np.intp]:
    """All buckets in the order in which ``salt`` draws them."""
    seed = int.from_bytes(blake2b(salt.encode(), digest_size=_BYTES).digest(), "big")
    # raw output of a generator whose stream is fixed, unlike that of a distribution
    lots = np.random.PCG64(seed).random_raw(BUCKETS)
    return np.argsort(np.asarray(lots, np.uint64), kind="stable")
