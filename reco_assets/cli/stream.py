"""``reco stream``: follow the stream in the foreground, without Dagster."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Annotated

import redis
import typer

from reco_assets.cli.main import explain
from reco_assets.errors import MissingDependency
from reco_assets.experiments.look import Looks
from reco_assets.online.stream_status import Status, tell
from reco_assets.platform.redis import open_redis, redis_shown
from reco_assets.platform.settings import Settings
from reco_assets.streaming.follow import Parts, alone, follow_stream
from reco_assets.streaming.microbatch import MicroBatch
from reco_assets.streaming.status import status_of


def stream(
    once: Annotated[bool, typer.Option("--once", help="One micro-batch, then end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a micro-batch.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Follow the stream in the foreground: into every table and the online store, batch after batch.

    It does what Dagster's sensor `stream_sensor` has done otherwise, and starts the embedded Redis if
    none runs. While an experiment runs it also does what `experiment_sensor` has done: every five
    minutes, after a micro-batch, the experiments are judged, and a variant that breaks a guardrail is
    taken out. Ctrl-C ends it after the micro-batch that is under way; a second one ends it at once,
    which loses nothing either.

    Examples:

    * `reco stream`

    * `reco stream --once --json`

    * `RECO_STREAM_SECONDS=2 reco stream`
    """
    settings = Settings()
    with alone(settings) as mine:
        if not mine:
            raise MissingDependency(
                f"following the stream {settings.stream_name}: another process of this home does",
                hint="nothing has to be done; or stop that one, e.g. the run in Dagster, first",
            )
        try:
            looks = Looks(settings)
            with ended_by_signals() as ending:
                for batch in batches(settings, ending):
                    stopped = judged(looks, datetime.now(UTC))
                    if not quiet:
                        typer.echo(_as_json(batch, stopped) if as_json else _line(batch, stopped))
                    if once:
                        break
        except redis.RedisError as error:
            raise MissingDependency(
                f"following the stream {settings.stream_name}: Redis at {redis_shown(settings)}: {error}",
                hint="run it again: what is done is stored, and the rest waits in the stream",
            ) from error


def batches(settings: Settings, ending: threading.Event) -> Iterator[tuple[MicroBatch, Status]]:
    """Micro-batches until ``ending`` is set, each told to whoever asks Redis for the status.

    Raises StreamUnavailable, redis.RedisError, MissingDependency.
    """
    with open_redis(settings) as client:
        parts = Parts.of(settings, client)
        try:
            while not ending.is_set():
                for batch in follow_stream(parts, pause=ending.wait):
                    status = status_of(batch, datetime.now(UTC))
                    tell(client, status)
                    yield batch, status
                    if ending.is_set():
                        break
        finally:
            parts.stream.close()


def judged(looks: Looks, now: datetime) -> tuple[str, ...]:
    """Which variants were taken out, a line each; what keeps the experiments from being judged is told."""
    try:
        return looks.after(now)
    except Exception as error:
        # the tables and the online store are brought up to date whatever becomes of the experiments
        message, hint, _ = explain(error)
        typer.echo(f"the experiments were not judged: {message}; {hint}", err=True)
        return ()


@contextmanager
def ended_by_signals() -> Iterator[threading.Event]:
    """An event that SIGINT or SIGTERM sets; a second signal does what it always does."""
    ending = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def end(number: int, frame: FrameType | None) -> None:
        ending.set()
        restore()

    for number in before:
        signal.signal(number, end)
    try:
        yield ending
    finally:
        restore()


def _line(told: tuple[MicroBatch, Status], stopped: Sequence[str]) -> str:
    batch, status = told
    bad = f" ({batch.drained.quarantined:,} into quarantine)" if batch.drained.quarantined else ""
    behind = f", {status.waiting:,} wait" if status.waiting else ""
    lag = f", lag {status.lag_seconds:.1f} s" if status.batch_size else ""
    done = (
        f"{status.at:%H:%M:%S}  {status.batch_size:,} records{bad}{behind}  "
        f"{status.users:,} users and {status.products:,} products online"
        f"  {sum(status.seconds.values()):.1f} s{lag}"
    )
    return "\n".join([done, *(f"{status.at:%H:%M:%S}  {one}" for one in stopped)])


def _as_json(told: tuple[MicroBatch, Status], stopped: Sequence[str]) -> str:
    batch, status = told
    return json.dumps(
        {
            "at": status.at.isoformat(),
            "records": status.batch_size,
            "accepted": batch.drained.accepted,
            "quarantined": batch.drained.quarantined,
            "waiting": status.waiting,
            "lag_seconds": status.lag_seconds,
            "event_delay_seconds": status.event_delay_seconds,
            "users": status.users,
            "products": status.products,
            "raw_events_version": batch.drained.version,
            "seconds": status.seconds,
            "stopped": list(stopped),
        }
    )
