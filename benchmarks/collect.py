"""How fast the live service takes events: ``python -m benchmarks.collect --duration 20``.

The service runs as a process of its own over a private embedded Redis, which flushes every write to
disk before it is acknowledged, and is sent events over HTTP by another process of the same machine.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import httpx
import numpy as np
import redis

from benchmarks.load import Outcome, closed_loop, open_loop
from benchmarks.process import free_port, process
from benchmarks.report import Value, log, process_tree, report
from reco_assets.errors import RecoError
from reco_assets.platform.redis import open_redis, stop_redis
from reco_assets.platform.settings import Settings
from reco_assets.platform.streams.redis_stream import partition_key

#: Events of a batch, as the snippet sends them.
BATCH: Final = 50
#: Requests a second of the open loop of single events.
RATE: Final = 1_500.0
#: Clients of the closed loops that the main figures are from.
BATCH_CLIENTS: Final = 4
SINGLE_CLIENTS: Final = 8
_KINDS: Final = ("click",) * 8 + ("add_to_cart", "purchase", "search", "impression")


def main() -> int:
    """Start, measure; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--duration", type=float, default=20.0, help="seconds of each measurement")
    parser.add_argument("--workers", type=int, default=1, help="worker processes of the service")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            results = measure(Path(folder), given.duration, given.workers)
    except RecoError as error:
        log(f"benchmarks.collect: {error}")
        return 1
    parameters: dict[str, Value] = {"duration": given.duration, "workers": given.workers, "batch": BATCH}
    report("collect", parameters, results, given.json)
    return 0


def measure(folder: Path, seconds: float, workers: int) -> dict[str, Value]:
    """The results of a service with ``workers`` workers, each measurement ``seconds`` long."""
    settings = Settings(
        home=folder / "home", redis_port=free_port(), service_port=free_port(), service_workers=workers
    )
    rng = np.random.default_rng(5)
    single = [events(rng, 1)[0] for _ in range(40_000)]
    batches = [b"[" + b",".join(events(rng, BATCH)) + b"]" for _ in range(2_000)]
    port = settings.service_port
    results: dict[str, Value] = {}
    acknowledged = in_stream = errors = 0
    try:
        with open_redis(settings) as client, process(None, port, settings) as service:
            closed_loop(port, "/events", single, 2, min(3.0, seconds))  # warm
            _emptied(client, settings)

            def add(name: str, per_request: int, load: Callable[[], Outcome]) -> None:
                nonlocal acknowledged, in_stream, errors
                before = _cpu_seconds(service.pid)
                outcome = load()
                spent = (_cpu_seconds(service.pid) - before) / max(len(outcome.milliseconds), 1)
                results[f"{name}_service_cpu_ms_per_request"] = round(spent * 1e3, 3)
                rate = round(outcome.per_second() * per_request, 1)
                results[f"{name}_events_per_second"] = rate
                results[f"{name}_p50_ms"] = outcome.percentile(50)
                results[f"{name}_p99_ms"] = outcome.percentile(99)
                log(f"{name}: {rate:,}/s, p50 {outcome.percentile(50)}, p99 {outcome.percentile(99)} ms")
                acknowledged += len(outcome.milliseconds) * per_request
                errors += outcome.errors
                in_stream += _emptied(client, settings)

            add("batch", BATCH, lambda: closed_loop(port, "/events", batches, BATCH_CLIENTS, seconds))
            add("single", 1, lambda: closed_loop(port, "/events", single, SINGLE_CLIENTS, seconds))
            add("c1_batch", BATCH, lambda: closed_loop(port, "/events", batches, 1, seconds))
            add("c1_single", 1, lambda: closed_loop(port, "/events", single, 1, seconds))
            add("c32_single", 1, lambda: closed_loop(port, "/events", single, 32, seconds))
            add("open_loop_single", 1, lambda: open_loop(port, "/events", single, RATE, seconds))
            health = httpx.get(f"http://127.0.0.1:{port}/health", timeout=5.0).json()
            fsync = str(client.config_get("appendfsync")["appendfsync"])
    finally:
        stop_redis(settings)
    return results | {
        "errors": errors,
        "acknowledged_events": acknowledged,
        "events_in_stream": in_stream,
        "appendfsync": fsync,
        "stream_trouble": [one for one in health["missing"] if one.startswith("stream")] != [],
    }


def events(rng: np.random.Generator, count: int) -> list[bytes]:
    """JSON of ``count`` events of one visit, with every field that a shop's page knows."""
    user, session = f"user-{rng.integers(100_000)}", str(uuid.UUID(bytes=rng.bytes(16)))
    start = datetime.now(UTC) - timedelta(minutes=10)
    found = []
    for number, kind in enumerate(rng.choice(_KINDS, count).tolist()):
        event: dict[str, object] = {
            "event_id": str(uuid.UUID(bytes=rng.bytes(16))),
            "user_id": user,
            "session_id": session,
            "event_type": kind,
            "timestamp": (start + timedelta(seconds=number)).isoformat(timespec="milliseconds"),
            "source": "web",
        }
        if kind == "search":
            event["query"] = "garden chairs"
        else:
            event |= {"product_id": f"product-{rng.integers(10_000)}", "price": 19.9}
        found.append(json.dumps(event).encode())
    return found


def _cpu_seconds(service: int) -> float:
    """Processor time that the service's processes have used so far."""
    ticks = 0
    for one in process_tree(service):
        # the name, in brackets, may hold spaces; user and system time are the 14th and 15th field
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _emptied(client: redis.Redis, settings: Settings) -> int:
    """Forget what the stream holds, so that memory stays as it is; how much it was."""
    names = [partition_key(settings.stream_name, number) for number in range(settings.stream_partitions)]
    found = sum(int(client.xlen(name)) for name in names)
    for name in names:
        client.xtrim(name, maxlen=0, approximate=False)
    return found


if __name__ == "__main__":
    sys.exit(main())
