"""What Prometheus reads on /metrics, beside BentoML's own."""

from __future__ import annotations

from dataclasses import dataclass, field

import bentoml
from prometheus_client import Counter, Gauge, Histogram

from reco_serving.answered import BUCKETS, Answered
from reco_serving.freshness import Freshness
from reco_serving.guards import Guards
from reco_serving.streams import Streams


def _latency() -> Histogram:
    return bentoml.metrics.Histogram(
        name="reco_latency_seconds",
        documentation="Time from the last byte of a request that was answered to the answer's first.",
        labelnames=["endpoint"],
        buckets=BUCKETS,
    )


def _variants() -> Counter:
    return bentoml.metrics.Counter(
        name="reco_variant_total",
        documentation="Answers by the variant of each experiment that decided over them.",
        labelnames=["experiment", "variant"],
    )


def _refusals() -> Counter:
    return bentoml.metrics.Counter(
        name="reco_refused_total",
        documentation="Requests that were not answered with 200 (/events: 202), by endpoint and status.",
        labelnames=["endpoint", "status"],
    )


def _bundle() -> Gauge:
    return bentoml.metrics.Gauge(
        name="reco_bundle_info",
        documentation="1 for the bundle that serves, 0 for those before it.",
        labelnames=["version"],
        multiprocess_mode="liveall",
    )


def _decisions() -> Counter:
    return bentoml.metrics.Counter(
        name="reco_decisions_total",
        documentation="Decision records by what became of them.",
        labelnames=["outcome"],
    )


def _events() -> Counter:
    return bentoml.metrics.Counter(
        name="reco_events_total",
        documentation="Collected events: accepted or rejected by the contract; spooled, refused (503);"
        " not_live, which the next answer does not know yet.",
        labelnames=["outcome"],
    )


def _spool_bytes() -> Gauge:
    return bentoml.metrics.Gauge(
        name="reco_spool_bytes",
        documentation="Size of the events that wait on disk for the stream.",
        multiprocess_mode="livesum",
    )


def _stream_troubles() -> Counter:
    return bentoml.metrics.Counter(
        name="reco_stream_troubles_total",
        documentation="Attempts to append to the stream that failed.",
    )


def _stream(name: str, documentation: str) -> Gauge:
    # every worker reads the same in Redis: whoever looked last is right
    return bentoml.metrics.Gauge(
        name=f"reco_stream_{name}", documentation=documentation, multiprocess_mode="livemostrecent"
    )


@dataclass(frozen=True)
class StreamGauges:
    """How far the tables are behind the stream, and how the last micro-batch went."""

    lag_records: Gauge
    lag_seconds: Gauge
    batch_size: Gauge
    batch_age_seconds: Gauge
    event_delay_seconds: Gauge
    quarantine_share: Gauge


def _stream_gauges() -> StreamGauges:
    return StreamGauges(
        lag_records=_stream("lag_records", "Records of the stream that no table has yet."),
        lag_seconds=_stream("lag_seconds", "How long the oldest of them has been in the stream."),
        batch_size=_stream("batch_size", "Records of the last micro-batch."),
        batch_age_seconds=_stream("batch_age_seconds", "Time since the last micro-batch ended."),
        event_delay_seconds=_stream(
            "event_delay_seconds",
            "Median time between an event and its arrival in the stream, in the last micro-batch.",
        ),
        quarantine_share=_stream(
            "quarantine_share", "Share of the last micro-batch's records that broke the contract."
        ),
    )


@dataclass(frozen=True)
class Metrics:
    """The service's own instruments; made once a process."""

    latency: Histogram = field(default_factory=_latency)
    answered: Answered = field(default_factory=Answered)
    variants: Counter = field(default_factory=_variants)
    refusals: Counter = field(default_factory=_refusals)
    bundle: Gauge = field(default_factory=_bundle)
    decisions: Counter = field(default_factory=_decisions)
    events: Counter = field(default_factory=_events)
    spool_bytes: Gauge = field(default_factory=_spool_bytes)
    stream_troubles: Counter = field(default_factory=_stream_troubles)
    stream: StreamGauges = field(default_factory=_stream_gauges)
    guards: Guards = field(default_factory=Guards)
    freshness: Freshness = field(default_factory=Freshness)
    streams: Streams = field(default_factory=Streams)
