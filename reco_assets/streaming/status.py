"""What a micro-batch tells of itself when it has ended."""

from __future__ import annotations

from datetime import datetime

from reco_assets.online.stream_status import Status
from reco_assets.streaming.microbatch import MicroBatch


def status_of(batch: MicroBatch, now: datetime) -> Status:
    """The status after ``batch``, which ended ``now``."""
    drained = batch.drained
    lag = now.timestamp() - drained.oldest_us / 1e6 if drained.oldest_us else 0.0
    return Status(
        at=now,
        batch_size=drained.records,
        waiting=drained.waiting,
        lag_seconds=round(max(0.0, lag), 3),
        event_delay_seconds=drained.event_delay_s,
        quarantine_share=drained.quarantined / max(1, drained.records),
        users=batch.refreshed.users if batch.refreshed else 0,
        products=batch.refreshed.products if batch.refreshed else 0,
        seconds={step: round(seconds, 3) for step, seconds in batch.seconds.items()},
    )
