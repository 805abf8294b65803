"""Packing online values in bulk: whole tables of users and products, hundreds of thousands a second."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from reco_assets.online.codec import (
    BOUGHT_AT,
    CATALOGUE,
    FIRST_AT,
    KEY_BYTES,
    LAST_AT,
    PRODUCT_BYTES,
    PRODUCT_HEAD,
    UNITS,
    USER_HEAD,
    VERSION,
    Bytes,
    low_bytes,
)
from reco_assets.recommender.types import BOUGHT, RECENT, Floats, Int8s, Int64s, UInt64s

#: Bytes of a recent event at the most: a place and a kind, and a number of 64 bits.
_EVENT_MOST: Final = 1 + 10


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
    heads = _heads(users, bought)
    most = BOUGHT_AT + KEY_BYTES * bought + (KEY_BYTES + _EVENT_MOST) * recent
    packed = np.empty(int(most.sum()), np.uint8)
    starts = _lay(
        packed,
        heads,
        users.bought.offsets,
        users.bought.keys,
        bought,
        users.recent.offsets,
        users.recent.keys,
        users.recent.kinds,
        users.recent.times,
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
    heads[:, FIRST_AT:LAST_AT] = low_bytes(users.first_event_time.astype("<i8"), LAST_AT - FIRST_AT)
    heads[:, LAST_AT:USER_HEAD] = low_bytes(users.last_event_time.astype("<i8"), USER_HEAD - LAST_AT)
    heads[:, USER_HEAD:] = low_bytes(users.features.astype("<f4"), BOUGHT_AT - USER_HEAD)
    return heads


@njit(cache=True)
def _lay(
    packed: Bytes,
    heads: Bytes,
    bought_offsets: Int64s,
    bought_keys: UInt64s,
    bought: Int64s,
    recent_offsets: Int64s,
    recent_keys: UInt64s,
    kinds: Int8s,
    times: Int64s,
    recent: Int64s,
) -> Int64s:
    """Write head, last ``bought`` keys and last ``recent`` events of each user; where each one begins."""
    starts = np.zeros(len(heads) + 1, np.int64)
    distinct = np.empty(RECENT, np.uint64)
    at = 0
    for user in range(len(heads)):
        start = at
        for place in range(heads.shape[1]):
            packed[at] = heads[user, place]
            at += 1
        end = bought_offsets[user + 1]
        for row in range(end - bought[user], end):
            at = _write_key(packed, at, bought_keys[row])
        end = recent_offsets[user + 1]
        first = end - recent[user]
        count = 0
        unit = len(UNITS) - 1
        for row in range(first, end):
            if _place(distinct, count, recent_keys[row]) == count:
                distinct[count] = recent_keys[row]
                count += 1
                at = _write_key(packed, at, recent_keys[row])
            while times[row] % UNITS[unit] != 0:
                unit -= 1
        packed[start + 2] = count
        packed[start + 3] = unit
        before = 0
        for row in range(first, end):
            packed[at] = _place(distinct, count, recent_keys[row]) << 3 | kinds[row]
            time = times[row] // UNITS[unit]
            at = _write_number(packed, at + 1, time - before)
            before = time
        starts[user + 1] = at
    return starts


@njit(cache=True)
def _place(distinct: UInt64s, count: int, key: np.uint64) -> int:
    """Where ``key`` is among the first ``count``; ``count`` where it is not."""
    place = 0
    while place < count and distinct[place] != key:
        place += 1
    return place


@njit(cache=True)
def _write_key(packed: Bytes, at: int, key: np.uint64) -> int:
    """Write a product's key at ``at``; where it ends."""
    for _ in range(6):
        packed[at] = key & np.uint64(255)
        key >>= np.uint64(8)
        at += 1
    return at


@njit(cache=True)
def _write_number(packed: Bytes, at: int, number: int) -> int:
    """Write a whole number at ``at``, zigzag, 7 bits a byte; where it ends."""
    word = np.uint64((number << 1) ^ (number >> 63))
    while word >= np.uint64(128):
        packed[at] = (word & np.uint64(127)) | np.uint64(128)
        word >>= np.uint64(7)
        at += 1
    packed[at] = word
    return at + 1


def _slices(packed: Bytes, starts: Int64s) -> list[bytes]:
    blob = packed.tobytes()
    return [blob[start:end] for start, end in pairwise(starts.tolist())]
