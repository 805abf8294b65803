"""The stream in Dagster: a sensor that looks every few seconds, and the run that follows the stream."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
import redis

from reco_assets.errors import RecoError
from reco_assets.events.drain import waiting
from reco_assets.online.stream_status import Status, tell
from reco_assets.platform.redis import connect, open_redis
from reco_assets.platform.resources import Platform
from reco_assets.platform.streams.open import open_stream
from reco_assets.streaming.follow import Parts, alone, follow_stream, wanted
from reco_assets.streaming.microbatch import MicroBatch
from reco_assets.streaming.status import status_of

#: A run ends after so long, and the sensor starts another: a run in the UI is then a piece of the day.
RUN_SECONDS = 30 * 60
#: Seconds between two looks of the sensor; the pause between micro-batches is RECO_STREAM_SECONDS.
LOOK_SECONDS = 10


@dg.op(description="Micro-batches until the stream has been empty for a minute.")
def follow(context: dg.OpExecutionContext, platform: Platform) -> None:
    """Drain the stream into every table and the online store, batch after batch."""
    settings = platform.settings()
    with alone(settings) as mine:
        if not mine:
            context.log.info("another run follows the stream already")
            return
        client = open_redis(settings)
        parts = Parts.of(settings, client)
        for batch in follow_stream(parts, until=time.monotonic() + RUN_SECONDS):
            status = status_of(batch, platform.now())
            tell(client, status)
            if batch.drained.records or (batch.refreshed and batch.refreshed.users):
                for event in materializations(batch, status):
                    context.log_event(event)


@dg.job(
    executor_def=dg.in_process_executor,
    description="From the stream to every table and the online store, micro-batch after micro-batch.",
)
def microbatches() -> None:
    """One run follows the stream until it is empty."""
    follow()


@dg.sensor(
    job=microbatches,
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts a run when records wait in the stream, or windows have closed, and none is active.",
)
def stream_sensor(
    context: dg.SensorEvaluationContext, platform: Platform
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """A run that was killed is not in the way: what counts is whether its process holds the lock."""
    settings = platform.settings()
    now = datetime.now(UTC)
    try:
        with alone(settings) as nobody:
            if not nobody:
                yield dg.SkipReason("a run follows the stream")
                return
        reason = wanted(platform.lake(), open_stream(settings), connect(settings), now)
    except (RecoError, redis.RedisError) as error:
        yield dg.SkipReason(f"the stream cannot be asked: {error}")
        return
    started = float(context.cursor or 0)
    if reason is None:
        yield dg.SkipReason("the stream is empty and every closed window is online")
    elif now.timestamp() - started < 2 * LOOK_SECONDS:
        yield dg.SkipReason("a run has just been asked for")
    else:
        context.update_cursor(str(now.timestamp()))
        yield dg.RunRequest(run_key=f"{now.timestamp():.0f}", tags={"reco/reason": reason})


def materializations(batch: MicroBatch, status: Status) -> Iterator[dg.AssetMaterialization]:
    """What the asset pages show of one micro-batch."""
    drained = batch.drained
    yield dg.AssetMaterialization(
        "raw_events",
        description=f"{drained.records:,} records from the stream",
        metadata={
            "batch size": drained.records,
            "accepted": drained.accepted,
            "quarantined": drained.quarantined,
            "quarantine share": status.quarantine_share,
            "lag records": drained.waiting,
            "lag seconds": status.lag_seconds,
            "event-time delay seconds": drained.event_delay_s,
            **({"delta_version": drained.version} if drained.version is not None else {}),
            **{f"{step} seconds": round(seconds, 3) for step, seconds in batch.seconds.items()},
        },
    )
    if drained.quarantined:
        yield dg.AssetMaterialization("raw_quarantine", metadata={"rows": drained.quarantined})
    for done in batch.advanced:
        if done.table == "silver/interactions" and (done.rows or done.rebuilt):
            yield dg.AssetMaterialization(
                "interactions",
                metadata={
                    "appended rows": done.rows,
                    "rebuilt days": len(done.rebuilt),
                    "raw_events version": done.upto,
                },
            )
    if batch.refreshed is not None:
        for name, count in (("user", batch.refreshed.users), ("product", batch.refreshed.products)):
            yield dg.AssetMaterialization(
                f"online_{name}_features",
                metadata={f"{name}s": count, "as_of": dg.MetadataValue.timestamp(batch.refreshed.at)},
            )


@dg.asset_check(asset="raw_events", description="Records that wait in the stream, and for how long.")
def stream_lag(platform: Platform) -> dg.AssetCheckResult:
    """A stream that does not answer, or that nobody has drained for five minutes, deserves a look."""
    try:
        behind = waiting(platform.lake(), open_stream(platform.settings()))
        status = Status.read(connect(platform.settings()))
    except (RecoError, redis.RedisError) as error:
        return dg.AssetCheckResult(
            passed=False,
            severity=dg.AssetCheckSeverity.WARN,
            description=f"the stream does not answer: {error}",
        )
    age = (platform.now() - status.at).total_seconds() if status is not None else 0.0
    return dg.AssetCheckResult(
        passed=not behind or age < 300,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{behind:,} records wait; the last micro-batch ended {age:.0f} s ago",
        metadata={"lag records": behind, "seconds since the last micro-batch": age},
    )
