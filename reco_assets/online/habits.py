"""What people with a long history keep coming back to, online: one packed value each, made every night.

All numbers are little-endian:

======  =====  =======================================================================
offset  bytes  content
======  =====  =======================================================================
0       1      version of this layout
1       3      the day whose first moment (UTC) it is made as of, in days since 1970
4       8 n    heaviest first: the product's 48-bit key (6 bytes), its weight (float16)
======  =====  =======================================================================

Somebody without a value has hardly more events than the user's own value holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

import numpy as np
import redis

from reco_assets.candidates.habits import DAY_US, LONG, habits_of
from reco_assets.catalogue.items import ItemTable
from reco_assets.errors import IncompatibleBundle
from reco_assets.interactions.log import InteractionLog
from reco_assets.online import keys
from reco_assets.online.codec import KEY_BYTES, low_bytes, unpack_keys
from reco_assets.recommender.types import Habits, UInt64s

VERSION: Final = 2
HEAD: Final = 4
ENTRY_BYTES: Final = KEY_BYTES + 2
#: Values sent to Redis at a time.
CHUNK: Final = 5_000


def encode_habits(product_keys: UInt64s, habits: Habits) -> bytes:
    """The packed value of ``habits``, which are as of a midnight and whose products have ``product_keys``."""
    head = bytes((VERSION,)) + (habits.at // DAY_US).to_bytes(HEAD - 1, "little")
    entries = np.concatenate(
        [low_bytes(product_keys, KEY_BYTES), low_bytes(habits.weights.astype("<f2"), 2)], axis=1
    )
    return head + entries.tobytes()


def decode_habits(value: bytes, items: ItemTable) -> Habits:
    """The habits of one user; products that ``items`` lacks are left out.

    Raises
    ------
    IncompatibleBundle
        The value was packed for another layout.
    """
    if value[:1] != bytes((VERSION,)) or (len(value) - HEAD) % ENTRY_BYTES:
        raise IncompatibleBundle(
            "reading a user's habits: they were packed for another layout",
            hint="materialize online_habits again with this version of the code",
        )
    entries = np.frombuffer(value, np.uint8)[HEAD:].reshape(-1, ENTRY_BYTES)
    rows = items.rows(unpack_keys(entries[:, :KEY_BYTES].tobytes()))
    weights = np.ascontiguousarray(entries[:, KEY_BYTES:]).view("<f2").reshape(-1).astype(np.float32)
    known = rows >= 0
    return Habits(rows[known], weights[known], made_at(value))


def made_at(value: bytes) -> int:
    """The midnight that a packed value is made as of, UTC microseconds."""
    return int.from_bytes(value[1:HEAD], "little") * DAY_US


def habit_values(log: InteractionLog, items: ItemTable, at: int) -> Iterator[tuple[str, bytes]]:
    """User id and packed value of everybody with more than ``LONG`` events before ``at`` (microseconds)."""
    product_keys = np.asarray(items.keys)
    events = np.bincount(log.user[log.time < at], minlength=len(log.user_ids))
    for user in np.flatnonzero(events > LONG).tolist():
        habits = habits_of(log, product_keys, user, at)
        yield log.user_ids[user], encode_habits(product_keys[habits.items], habits)


def write_habits(
    client: redis.Redis,
    values: Iterator[tuple[str, bytes]],
    *,
    ttl_days: int,
    progress: Callable[[int], None] = lambda written: None,
) -> int:
    """Replace the values one by one; how many there were."""
    written = 0
    while chunk := list(islice(values, CHUNK)):
        with client.pipeline(transaction=True) as together:
            for user_id, value in chunk:
                together.set(keys.habits(user_id), value, ex=ttl_days * 86_400)
            together.execute()
        written += len(chunk)
        progress(written)
    return written
