"""Keeping the bundle's product features as fresh as the online store, by the stream of changes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias, cast

import numpy as np
import redis

from reco_assets.online import keys
from reco_assets.online.codec import decode_products, unpack_keys
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.types import Floats, Int32s
from reco_serving.breath import breath

#: Products read from Redis at a time; between two reads other requests get their turn.
CHUNK: Final = 500
_NEVER: Final = b"0-0"

#: One entry of the stream: its id, and its fields ``epoch``, ``at`` and ``keys``.
_Entry: TypeAlias = tuple[bytes, dict[bytes, bytes]]


@dataclass
class ProductFeed:
    """Applies product epochs to one bundle.

    Attributes
    ----------
    epoch
        The Delta version of ``gold/product_features`` that the bundle's matrix is at; -1 where the
        online store has none yet and the matrix is as the bundle was made.
    at
        The moment that the matrix shows, UTC microseconds; 0 where that is not known.
    steady
        Whoever holds it finds all products as of one moment, until they let go of it.
    renewed
        Called when products have changed, before anybody can see it.
    """

    client: redis.Redis
    bundle: Bundle
    epoch: int = -1
    at: int = 0
    steady: threading.Lock = field(default_factory=threading.Lock, repr=False)
    renewed: Callable[[], object] = field(default=lambda: None, repr=False)
    #: Two threads may have a bundle in common for a moment, a champion's and an experiment's.
    _one: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _seen: bytes = field(default=_NEVER, repr=False)

    def load(self) -> int:
        """Read every product; how many had a value. Changes announced meanwhile are seen afterwards."""
        with self._one:
            newest = cast("list[_Entry]", self.client.xrevrange(keys.PRODUCT_CHANGES, count=1))
            told = self.client.get(keys.PRODUCT_EPOCH)
            epoch = int(told) if told is not None else -1
            at = int(newest[0][1].get(b"at", 0)) if newest else 0
            applied = self._apply(np.arange(len(self.bundle.items), dtype=np.int32), epoch, at)
            self._seen = newest[0][0] if newest else _NEVER
            return applied

    def follow(self) -> int:
        """Read what was announced since; how many products changed."""
        with self._one:
            entries = cast("list[_Entry]", self.client.xrange(keys.PRODUCT_CHANGES, min=self._seen))
            if self._seen == _NEVER:
                fresh = entries
            elif not entries or entries[0][0] != self._seen:
                return self.load()  # the stream was cut behind us: what it said is lost
            else:
                fresh = entries[1:]
            if not fresh:
                return 0
            if any(not entry[b"keys"] for _, entry in fresh):
                return self.load()
            changed = np.unique(np.concatenate([unpack_keys(entry[b"keys"]) for _, entry in fresh]))
            rows = self.bundle.items.rows(changed)
            last = fresh[-1][1]
            applied = self._apply(rows[rows >= 0], int(last[b"epoch"]), int(last.get(b"at", 0)))
            self._seen = fresh[-1][0]
            return applied

    def _apply(self, rows: Int32s, epoch: int, at: int) -> int:
        """Read the products ``rows``, then put them in together: no answer is made from half of an epoch."""
        found: list[Int32s] = [np.empty(0, np.int32)]
        read: list[Floats] = [np.empty((0, self.bundle.product_matrix.shape[1]), np.float32)]
        for start in range(0, len(rows), CHUNK):
            with breath():
                some = rows[start : start + CHUNK]
                names = [keys.product(self.bundle.items.ids[row]) for row in some.tolist()]
                places, features = decode_products(cast("list[bytes | None]", self.client.mget(names)))
                found.append(some[places])
                read.append(features)
        changed, features = np.concatenate(found), np.concatenate(read)
        with self.steady:
            self.bundle.update_products(changed, features)
            self.epoch, self.at = epoch, at
            self.renewed()
        return len(changed)
