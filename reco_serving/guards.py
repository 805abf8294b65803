"""What Prometheus reads of overload, broken dependencies, and of requests and bundles that were refused."""

from __future__ import annotations

from dataclasses import dataclass, field

import bentoml
from prometheus_client import Counter, Gauge, Histogram

_WAITS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)


def _queue() -> Histogram:
    return bentoml.metrics.Histogram(
        name="reco_queue_seconds",
        documentation="Time from a request's last byte to its turn: the read of its state, and the queue.",
        buckets=_WAITS,
    )


def _shed() -> Counter:
    return bentoml.metrics.Counter(
        name="reco_shed_total",
        documentation="Requests that were refused with 429 because more was asked than could be answered.",
        labelnames=["priority"],
    )


def _breaker() -> Gauge:
    return bentoml.metrics.Gauge(
        name="reco_breaker_state",
        documentation="0 closed, 1 half open: it is being tried, 2 open: the dependency is left alone.",
        labelnames=["dependency"],
        multiprocess_mode="livemax",
    )


def _opened() -> Counter:
    return bentoml.metrics.Counter(
        name="reco_breaker_opened_total",
        documentation="How often a dependency that answered stopped answering, or in time.",
        labelnames=["dependency"],
    )


def _swaps() -> Counter:
    return bentoml.metrics.Counter(
        name="reco_swaps_total",
        documentation="New champions by what became of them: served, returned (it served before and is "
        "still warm), or refused while the old one stays.",
        labelnames=["outcome"],
    )


def _openings() -> Counter:
    return bentoml.metrics.Counter(
        name="reco_openings_total",
        documentation="Bundles of experiments and canaries by what became of them: opened, or refused "
        "while the experiment that needs them does not run.",
        labelnames=["outcome"],
    )


def _denied() -> Counter:
    return bentoml.metrics.Counter(
        name="reco_denied_total",
        documentation="Requests that were not let in, by the reason: no_key, unknown, scope, rate.",
        labelnames=["reason"],
    )


@dataclass(frozen=True)
class Guards:
    """The instruments; made once a process."""

    queue: Histogram = field(default_factory=_queue)
    shed: Counter = field(default_factory=_shed)
    breaker: Gauge = field(default_factory=_breaker)
    opened: Counter = field(default_factory=_opened)
    swaps: Counter = field(default_factory=_swaps)
    openings: Counter = field(default_factory=_openings)
    denied: Counter = field(default_factory=_denied)
