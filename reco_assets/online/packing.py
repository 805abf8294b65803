"""Packing online values in bulk: whole tables of users and products, hundreds of thousands a second."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from numba import njit

from reco_assets.online.codec import (
    BOUGHT_AT,
    CATALOGUE,
    EVENT_BYTES,
    KEY_BYTES,
    KIND_BITS,
    PRODUCT_BYTES,
    PRODUCT_HEAD,
    USER_HEAD,
    VERSION,
    Bytes,
    low_bytes,
)
from reco_assets.recommender.types import BOUGHT, RECENT, Floats, Int8s, Int64s, UInt64s


@dataclass(frozen=True)
class Recent:
    """Recent product events of ``n`` users, end to end, each user's oldest first.

    Attributes
    ----------
    offsets
        ``int64[n + 1]``: user ``i`` has rows ``offsets[i]:offsets[i + 1]``.
    keys, kinds, times
        Product keys, :class:`EventType` codes and UTC microseconds.
    """

    offsets: Int64s
    keys: UInt64s
    kinds: Int8s
    times: Int64s


@dataclass(frozen=True)
class Bought:
    """Keys of the products that ``n`` users have bought, end to end, each user's oldest first."""

    offsets: Int64s
    keys: UInt64s


@dataclass(frozen=True)
class Users:
    """What is packed for ``n`` users.

    Attributes
    ----------
    features
        ``float32[n, len(USER_FEATURES)]``.
    favorite_category
        ``uint32[n]`` category keys, 0 for none.
    first_event_time, last_event_time
        ``int64[n]`` UTC microseconds, 0 for none.
    """

    features: Floats
    favorite_category: npt.NDArray[np.uint32]
    first_event_time: Int64s
    last_event_time: Int64s
    recent: Recent
    bought: Bought


def encode_users(users: Users) -> list[bytes]:
    """The packed values of ``users``; of longer lists the last ``RECENT`` and ``BOUGHT`` are kept."""
    bought = np.minimum(np.diff(users.bought.offsets), BOUGHT)
    recent = np.minimum(np.diff(users.recent.offsets), RECENT)
    starts = np.zeros(len(users.features) + 1, np.int64)
    np.cumsum(BOUGHT_AT + KEY_BYTES * bought + EVENT_BYTES * recent, out=starts[1:])
    packed = np.empty(int(starts[-1]), np.uint8)
    stamps = (users.recent.times.astype(np.uint64) << KIND_BITS) | users.recent.kinds.astype(np.uint64)
    _lay(
        packed,
        starts,
        _heads(users, bought),
        users.bought.offsets,
        users.bought.keys,
        bought,
        users.recent.offsets,
        users.recent.keys,
        stamps,
        recent,
    )
    return _slices(packed, starts)


def encode_products(features: Floats, categories: npt.NDArray[np.uint32]) -> list[bytes]:
    """The packed values of ``n`` products: ``float32[n, features]`` and ``uint32[n]`` category keys."""
    n = len(features)
    packed = np.zeros((n, PRODUCT_BYTES), np.uint8)
    packed[:, 0] = VERSION
    packed[:, 4:8] = np.frombuffer(CATALOGUE, np.uint8)
    packed[:, 8:12] = low_bytes(categories.astype("<u4"), 4)
    packed[:, PRODUCT_HEAD:] = low_bytes(features.astype("<f4"), PRODUCT_BYTES - PRODUCT_HEAD)
    return _slices(packed.reshape(-1), np.arange(n + 1, dtype=np.int64) * PRODUCT_BYTES)


def _heads(users: Users, bought: Int64s) -> Bytes:
    heads = np.zeros((len(users.features), BOUGHT_AT), np.uint8)
    heads[:, 0] = VERSION
    heads[:, 1] = bought
    heads[:, 4:8] = np.frombuffer(CATALOGUE, np.uint8)
    heads[:, 8:12] = low_bytes(users.favorite_category.astype("<u4"), 4)
    heads[:, 16:24] = low_bytes(users.first_event_time.astype("<i8"), 8)
    heads[:, 24:32] = low_bytes(users.last_event_time.astype("<i8"), 8)
    heads[:, USER_HEAD:] = low_bytes(users.features.astype("<f4"), BOUGHT_AT - USER_HEAD)
    return heads


@njit(cache=True)
def _lay(
    packed: Bytes,
    starts: Int64s,
    heads: Bytes,
    bought_offsets: Int64s,
    bought_keys: UInt64s,
    bought: Int64s,
    recent_offsets: Int64s,
    recent_keys: UInt64s,
    stamps: UInt64s,
    recent: Int64s,
) -> None:
    """Write head, last ``bought`` keys and last ``recent`` events of each user from ``starts`` on."""
    for user in range(len(heads)):
        at = starts[user]
        for place in range(heads.shape[1]):
            packed[at + place] = heads[user, place]
        at += heads.shape[1]
        end = bought_offsets[user + 1]
        for row in range(end - bought[user], end):
            word = bought_keys[row]
            for _ in range(6):
                packed[at] = word & np.uint64(255)
                word >>= np.uint64(8)
                at += 1
        end = recent_offsets[user + 1]
        for row in range(end - recent[user], end):
            word = recent_keys[row]
            for _ in range(6):
                packed[at] = word & np.uint64(255)
                word >>= np.uint64(8)
                at += 1
            word = stamps[row]
            for _ in range(7):
                packed[at] = word & np.uint64(255)
                word >>= np.uint64(8)
                at += 1


def _slices(packed: Bytes, starts: Int64s) -> list[bytes]:
    blob = packed.tobytes()
    return [blob[start:end] for start, end in pairwise(starts.tolist())]
