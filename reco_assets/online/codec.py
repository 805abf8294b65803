"""The packed values of the online store: two a user, one a session, one a product.

All numbers are little-endian. A user's value, ``U`` being the number of user features:

===========  =====  ==========================================================================
offset       bytes  content
===========  =====  ==========================================================================
0            1      version of this layout
1            1      ``b``, how many bought products follow
2            1      ``d``, how many products the recent events are about
3            1      unit of the recent events' times: 0 microseconds, 1 milliseconds, 2 seconds
4            4      first four bytes of the feature catalogue's hash
8            4      32-bit key of the favourite category, 0 for none
12           7      time of the first event in the horizon, UTC microseconds, 0 for none
19           7      time of the last one
26           4 U    the user features, float32, in catalogue order
26 + 4 U     6 b    48-bit keys of bought products, oldest first
...          6 d    48-bit keys of the products of recent events, each once
...                 recent product events, oldest first, to the end of the value
===========  =====  ==========================================================================

A recent event is a byte that holds the place of its product among the ``d`` (upper 5 bits) and its
:class:`EventType` code (lower 3), then the time since the event before it, or since 1970 for the first:
a whole number, zigzag, 7 bits a byte, lowest first, the upper bit set in all but the last. The unit is
the coarsest in which nothing is rounded, so that a session feature is the same number online as in
training. The last ``RECENT`` are kept.

A user's pending value holds what was collected and is not yet in the value above: entries of 19
bytes in the order of arrival, to the end of the value. An entry is an event on a product (13 bytes),
then the 48-bit key of its event id, by which it is found again when the event has reached the tables.
The event is the product's key (6 bytes), then 7 bytes that hold its time in UTC microseconds (upper 53
bits) and its :class:`EventType` code (lower 3). Entries stand alone, so that one more can be appended
to a value without reading it.

A session's value is two bytes (version, zero) and events of 13 bytes, of which the last ``RECENT``
count. A product's value is version, three zero bytes, catalogue hash (4), category key (4), four zero
bytes, then the product features.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from reco_assets.catalogue.items import ItemTable
from reco_assets.errors import IncompatibleBundle
from reco_assets.features.catalogue import PRODUCT_FEATURES, USER_FEATURES, catalogue_hash
from reco_assets.recommender.types import RECENT, Floats, Int8s, Int32s, Int64s, UInt64s, UserState

VERSION: Final = 2
KEY_BYTES: Final = 6
EVENT_BYTES: Final = 13
PENDING_BYTES: Final = EVENT_BYTES + KEY_BYTES
SESSION_HEADER: Final = bytes((VERSION, 0))
#: Pending events that are kept of one user, the last. More than the recent events that count, because
#: what was bought must not be shown again however much the user has done since the last micro-batch.
PENDING_MOST: Final = 10 * RECENT

CATALOGUE: Final = bytes.fromhex(catalogue_hash()[:8])
U: Final = len(USER_FEATURES)
FIRST_AT: Final = 12
LAST_AT: Final = 19
USER_HEAD: Final = 26
BOUGHT_AT: Final = USER_HEAD + 4 * U
PRODUCT_HEAD: Final = 16
PRODUCT_BYTES: Final = PRODUCT_HEAD + 4 * len(PRODUCT_FEATURES)
KIND_BITS: Final = np.uint64(3)
#: Microseconds of each unit of times; the first is always exact.
UNITS: Final = (1, 1_000, 1_000_000)

Bytes = npt.NDArray[np.uint8]


def pack_events(keys: UInt64s, kinds: Int8s, times: Int64s) -> Bytes:
    """Recent events as ``uint8[n, EVENT_BYTES]``: what is appended to a user's or a session's value."""
    packed = np.empty((len(keys), EVENT_BYTES), np.uint8)
    packed[:, :KEY_BYTES] = low_bytes(keys, KEY_BYTES)
    stamps = (times.astype(np.uint64) << KIND_BITS) | kinds.astype(np.uint64)
    packed[:, KEY_BYTES:] = low_bytes(stamps, EVENT_BYTES - KEY_BYTES)
    return packed


def encode_session(keys: UInt64s, kinds: Int8s, times: Int64s) -> bytes:
    """A session's packed value, oldest event first."""
    return SESSION_HEADER + pack_events(keys[-RECENT:], kinds[-RECENT:], times[-RECENT:]).tobytes()


def pack_pending(keys: UInt64s, kinds: Int8s, times: Int64s, events: UInt64s) -> Bytes:
    """Pending events as ``uint8[n, PENDING_BYTES]``; ``events`` are the 48-bit keys of the event ids."""
    return np.concatenate([pack_events(keys, kinds, times), low_bytes(events, KEY_BYTES)], axis=1)


def decode_user(value: bytes, items: ItemTable) -> UserState:
    """The state of one user; products and a category that ``items`` lacks are left out.

    Raises
    ------
    IncompatibleBundle
        The value was packed for another layout or feature catalogue.
    """
    _check(value)
    packed = np.frombuffer(value, np.uint8)
    bought_count, unit = value[1], UNITS[value[3]]
    keys = _keys(packed, BOUGHT_AT, bought_count + value[2])
    places, kinds, times = _recent(packed, BOUGHT_AT + KEY_BYTES * len(keys), unit)
    found = items.rows(keys)
    own, rows = found[:bought_count], found[bought_count:][places]
    if keys.size and found.min() < 0:
        known = rows >= 0
        rows, kinds, times = rows[known], kinds[known], times[known]
        own = own[own >= 0]
    category = int.from_bytes(value[8:12], "little")
    return UserState(
        features=np.frombuffer(value, "<f4", U, USER_HEAD).copy(),
        favorite_category=items.category_codes_by_key.get(category, -1) if category else -1,
        items=rows,
        kinds=kinds,
        times=times,
        bought=own,
    )


def decode_session(value: bytes, items: ItemTable) -> tuple[Int32s, Int8s, Int64s]:
    """Item rows, kinds and times of a session's events; products that ``items`` lacks are left out."""
    if value[:2] != SESSION_HEADER:
        raise IncompatibleBundle("reading a session's online value: it was packed by another version")
    keys, kinds, times = _unpack(np.frombuffer(value, np.uint8), len(SESSION_HEADER), RECENT)
    rows = items.rows(keys)
    known = rows >= 0
    return rows[known], kinds[known], times[known]


def decode_pending(value: bytes, items: ItemTable) -> tuple[Int32s, Int8s, Int64s]:
    """Item rows, kinds and times of a user's last ``PENDING_MOST`` pending events, in the order of arrival.

    Products that ``items`` lacks are left out.

    Raises
    ------
    IncompatibleBundle
        The value is not made of whole entries.
    """
    if len(value) % PENDING_BYTES:
        raise IncompatibleBundle("reading a user's pending events: they were packed by another version")
    entries = np.frombuffer(value, np.uint8).reshape(-1, PENDING_BYTES)[-PENDING_MOST:]
    events = np.ascontiguousarray(entries[:, :EVENT_BYTES]).reshape(-1)
    keys, kinds, times = _unpack(events, 0, PENDING_MOST)
    rows = items.rows(keys)
    known = rows >= 0
    return rows[known], kinds[known], times[known]


def decode_products(values: list[bytes | None]) -> tuple[Int64s, Floats]:
    """Which of ``values`` can be used (``int64[k]`` places), and their features ``float32[k, ...]``.

    Values that are missing or were packed for another feature catalogue are passed over.
    """
    head = bytes((VERSION, 0, 0, 0)) + CATALOGUE
    places = [
        place
        for place, value in enumerate(values)
        if value is not None and len(value) == PRODUCT_BYTES and value[:8] == head
    ]
    packed = b"".join(values[place] or b"" for place in places)
    rows = np.frombuffer(packed, np.uint8).reshape(len(places), PRODUCT_BYTES)
    features = np.ascontiguousarray(rows[:, PRODUCT_HEAD:]).view("<f4")
    return np.array(places, np.int64), features.astype(np.float32, copy=False)


def user_times(value: bytes) -> tuple[int, int]:
    """Times of the first and the last event in the horizon, UTC microseconds; 0 for none."""
    _check(value)
    first, last = value[FIRST_AT:LAST_AT], value[LAST_AT:USER_HEAD]
    return int.from_bytes(first, "little"), int.from_bytes(last, "little")


def pack_keys(keys: UInt64s) -> bytes:
    """Product keys of 6 bytes each, as in the stream of product changes."""
    return low_bytes(keys, KEY_BYTES).tobytes()


def unpack_keys(packed: bytes) -> UInt64s:
    """What :func:`pack_keys` packed, ``uint64[n]``."""
    wide = np.zeros((len(packed) // KEY_BYTES, 8), np.uint8)
    wide[:, :KEY_BYTES] = np.frombuffer(packed, np.uint8).reshape(-1, KEY_BYTES)
    return wide.view("<u8").reshape(-1).astype(np.uint64, copy=False)


def _check(value: bytes) -> None:
    whole = len(value) >= BOUGHT_AT and len(value) >= BOUGHT_AT + KEY_BYTES * (value[1] + value[2])
    if not whole or value[0] != VERSION or value[4:8] != CATALOGUE:
        raise IncompatibleBundle(
            "reading a user's online value: it was packed for another layout or feature catalogue",
            hint="materialize the online features again with this version of the code",
        )


@njit(cache=True)
def _unpack(value: Bytes, at: int, most: int) -> tuple[UInt64s, Int8s, Int64s]:
    """Keys, kinds and times of the last ``most`` events of 13 bytes from ``at`` on."""
    count = (len(value) - at) // 13
    if count > most:
        at += 13 * (count - most)
        count = most
    keys = np.empty(count, np.uint64)
    kinds = np.empty(count, np.int8)
    times = np.empty(count, np.int64)
    for row in range(count):
        keys[row] = _number(value, at + 13 * row, 6)
        stamp = _number(value, at + 13 * row + 6, 7)
        kinds[row] = stamp & np.uint64(7)
        times[row] = stamp >> np.uint64(3)
    return keys, kinds, times


@njit(cache=True)
def _keys(value: Bytes, at: int, count: int) -> UInt64s:
    """``count`` product keys from ``at`` on."""
    keys = np.empty(count, np.uint64)
    for row in range(count):
        keys[row] = _number(value, at + 6 * row, 6)
    return keys


@njit(cache=True)
def _recent(value: Bytes, at: int, unit: int) -> tuple[Int64s, Int8s, Int64s]:
    """Places, kinds and times of the recent events from ``at`` to the end of a user's value."""
    places = np.empty(RECENT, np.int64)
    kinds = np.empty(RECENT, np.int8)
    times = np.empty(RECENT, np.int64)
    count = 0
    time = np.int64(0)
    while at < len(value) and count < RECENT:
        places[count] = value[at] >> 3
        kinds[count] = value[at] & 7
        word = np.int64(0)
        shift = 0
        more = True
        while more and at + 1 < len(value):
            at += 1
            more = value[at] >= 128
            word |= (np.int64(value[at]) & 127) << shift
            shift += 7
        at += 1
        time += (word >> 1) ^ -(word & 1)
        times[count] = time * unit
        count += 1
    return places[:count].copy(), kinds[:count].copy(), times[:count].copy()


@njit(cache=True)
def _number(value: Bytes, at: int, size: int) -> np.uint64:
    word = np.uint64(0)
    for place in range(size):
        word |= np.uint64(value[at + place]) << np.uint64(8 * place)
    return word


def low_bytes(values: npt.NDArray[np.generic], size: int) -> Bytes:
    """The first ``size`` bytes of each row of ``values``, ``uint8[n, size]``."""
    raw = np.ascontiguousarray(values).view(np.uint8)
    return raw.reshape(len(values), -1)[:, :size] if len(values) else np.empty((0, size), np.uint8)
