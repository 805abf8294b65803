"""What Prometheus reads of the streams that a worker has open."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import bentoml
from prometheus_client import Gauge, Histogram

_DELAYS: Final = (0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


def _open() -> Gauge:
    return bentoml.metrics.Gauge(
        name="reco_live_streams",
        documentation="Streams of lists that are open.",
        multiprocess_mode="livesum",
    )


def _delay() -> Histogram:
    return bentoml.metrics.Histogram(
        name="reco_live_list_seconds",
        documentation="Time from a session's event, as /events wrote it, to the sending of the list that it"
        " brought; of several events that share a list, from the first.",
        buckets=_DELAYS,
    )


@dataclass(frozen=True)
class Streams:
    """The instruments; made once a process."""

    open: Gauge = field(default_factory=_open)
    delay: Histogram = field(default_factory=_delay)
