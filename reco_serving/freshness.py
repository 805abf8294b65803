"""What Prometheus reads of how old things are, as moments, and of what is kept at hand.

Moments and not ages: what is no longer looked at grows older all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import bentoml
from prometheus_client import Counter, Gauge

from reco_assets.online.mark import Mark
from reco_serving.loaded import Loaded

_MICROS: Final = 1e6


def _moment(name: str, documentation: str) -> Gauge:
    # of several workers, the one that is furthest behind
    return bentoml.metrics.Gauge(
        name=f"reco_{name}_timestamp_seconds", documentation=documentation, multiprocess_mode="livemin"
    )


def _epoch() -> Gauge:
    return bentoml.metrics.Gauge(
        name="reco_product_epoch",
        documentation="Delta version of gold/product_features that products are at; -1: as th"
        "e bundle was made.",
        multiprocess_mode="livemin",
    )


def _lookups() -> Counter:
    return bentoml.metrics.Counter(
        name="reco_cache_total",
        documentation="Lookups by cache and outcome (hit, miss): texts of products; users and sessions, asked"
        " for only while Redis cannot be.",
        labelnames=["cache", "outcome"],
    )


@dataclass(frozen=True)
class Freshness:
    """The instruments; made once a process."""

    bundle: Gauge = field(default_factory=lambda: _moment("bundle", "When the bundle that serves was made."))
    products: Gauge = field(
        default_factory=lambda: _moment(
            "product_epoch", "The moment that product features are of; 0 where that is not known."
        )
    )
    users: Gauge = field(
        default_factory=lambda: _moment(
            "online", "The moment up to which the online store knows everything; 0 where that is not known."
        )
    )
    epoch: Gauge = field(default_factory=_epoch)
    lookups: Counter = field(default_factory=_lookups)

    def show(self, loaded: Loaded) -> None:
        """How old what serves is, and how often its texts were at hand since the last look."""
        self.bundle.set(loaded.bundle.created_at / _MICROS)
        self.products.set(loaded.feed.at / _MICROS)
        self.epoch.set(loaded.feed.epoch)
        info = loaded.texts.cache_info()
        hits, misses = loaded.counted
        self.lookups.labels("texts", "hit").inc(info.hits - hits)
        self.lookups.labels("texts", "miss").inc(info.misses - misses)
        loaded.counted = info.hits, info.misses

    def show_online(self, mark: Mark | None) -> None:
        """How far the online store has come."""
        self.users.set(mark.at.timestamp() if mark is not None else 0.0)

    def looked_up(self, cache: str, found: bool) -> None:
        """Somebody has asked ``cache``."""
        self.lookups.labels(cache, "hit" if found else "miss").inc()
