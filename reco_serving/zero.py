"""Series that exist before anything has happened: the first time is a rise that an alert can see."""

from __future__ import annotations

from itertools import product
from typing import Final

from reco_assets.candidates.sources import SOURCES
from reco_serving.calls import Priority
from reco_serving.ladder import LADDER, NO_USER_STATE
from reco_serving.metrics import Metrics

#: Statuses that budgets and alerts ask for.
_STATUSES: Final = ("429", "500", "503")
_EVENTS: Final = ("accepted", "rejected", "spooled", "refused", "not_live")
_DENIED: Final = ("no_key", "unknown", "scope", "rate")


def at_zero(metrics: Metrics, endpoints: tuple[str, ...], listing: tuple[str, ...]) -> None:
    """Begin the counters that alerts and dashboards ask for.

    ``endpoints`` are by their names in labels, and so are those of ``listing``, which answer with products.
    """
    for endpoint in endpoints:
        metrics.latency.labels(endpoint)
        for status in _STATUSES:
            metrics.refusals.labels(endpoint, status)
    for name, rung in product(listing, (*LADDER, NO_USER_STATE)):
        metrics.answered.rungs.begin(name, rung)
    for source in SOURCES:
        metrics.answered.proposals.counters.begin(source)
    for outcome in _EVENTS:
        metrics.events.labels(outcome)
    for outcome in ("written", "dropped"):
        metrics.decisions.labels(outcome)
    for cache in ("texts", "users", "sessions"):
        metrics.freshness.lookups.labels(cache, "hit")
        metrics.freshness.lookups.labels(cache, "miss")
    guards = metrics.guards
    for priority in Priority:
        guards.shed.labels(priority.name)
    for outcome in ("opened", "refused"):
        guards.openings.labels(outcome)
    for outcome in ("served", "returned", "refused"):
        guards.swaps.labels(outcome)
    for reason in _DENIED:
        guards.denied.labels(reason)
    guards.opened.labels("redis")
