"""How many candidates each source has proposed: added up by answers, told to Prometheus once a second.

A counter of Prometheus for each source would cost every answer 25 microseconds more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import bentoml
from prometheus_client import Counter

from reco_serving.children import Children


def _counters() -> Children[Counter]:
    return Children(
        bentoml.metrics.Counter(
            name="reco_candidates_by_source_total",
            documentation="Candidates of answers to /recommend by the source that proposed them; several may"
            " propose the same product.",
            labelnames=["source"],
        )
    )


@dataclass(frozen=True)
class Proposals:
    """One thread adds, one thread shows."""

    counters: Children[Counter] = field(default_factory=_counters)
    _added: dict[str, int] = field(default_factory=lambda: defaultdict(int), repr=False)
    _shown: dict[str, int] = field(default_factory=lambda: defaultdict(int), repr=False)

    def add(self, proposed: Mapping[str, int]) -> None:
        """One answer's, by source; costs three microseconds."""
        added = self._added
        for source, number in proposed.items():
            added[source] += number

    def show(self) -> None:
        """Count what has been added since the last time."""
        for source, total in list(self._added.items()):
            self.counters[source,].inc(total - self._shown[source])
            self._shown[source] = total
