"""Events on their way: durable in the stream, in order, through the spool when the stream is down."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis

from reco_assets.catalogue.items import product_keys
from reco_assets.events.plain import Gist, plain
from reco_assets.online import keys
from reco_assets.online.codec import PENDING_BYTES, PENDING_MOST, decode_pending, decode_session
from reco_assets.platform.settings import Settings
from reco_assets.platform.streams.open import open_stream
from reco_assets.platform.streams.redis_stream import partition_of
from reco_assets.platform.streams.stream import StreamFull, StreamUnavailable
from reco_assets.recommender.types import RECENT
from reco_serving.arrivals import Arrival, arrivals
from reco_serving.collector import Collector, Refused
from reco_serving.metrics import Metrics
from reco_serving.sinks import Sink, open_sink
from reco_serving.spool import Spool
from tests.serving.bundles import items

NOW_US = 1_772_366_400_000_000


def event(number: int, user: str = "ann", **fields: object) -> bytes:
    """A click number ``number``, ``number`` seconds after the start."""
    told: dict[str, object] = {
        "event_id": f"e{number}", "user_id": user, "session_id": "s1", "event_type": "click",
        "product_id": f"p{number % 50}", "timestamp": NOW_US // 1000 + number * 1000,
    }  # fmt: skip
    return json.dumps(told | fields).encode()


def arrived(*payloads: bytes) -> list[Arrival]:
    """As /events makes them."""
    gists = [plain(payload, NOW_US + 10**9) for payload in payloads]
    return arrivals(payloads, [gist if isinstance(gist, Gist) else ("bad",) for gist in gists])


@dataclass
class Stubborn:
    """A sink that refuses while it is ``down``, and otherwise remembers what it took."""

    down: Exception | None = None
    took: list[bytes] = field(default_factory=list)

    async def append(self, arrived: Sequence[Arrival]) -> None:
        await asyncio.sleep(0)
        if self.down is not None:
            raise self.down
        self.took += [one.value for one in arrived]

    async def close(self) -> None:
        """Nothing to give back."""


def run(sink: Sink, root: Path, metrics: Metrics, use: Callable[[Collector], Awaitable[None]]) -> None:
    """Use a collector from its start to its stop."""

    async def whole() -> None:
        collector = Collector(sink, root, 5_000, metrics)
        await collector.start()
        try:
            await use(collector)
        finally:
            await collector.stop()

    asyncio.run(whole())


async def drained(collector: Collector) -> None:
    """Wait until nothing is spooled."""
    async with asyncio.timeout(60):
        while collector.waiting_bytes or collector.trouble:
            await asyncio.sleep(0.01)


def count(metrics: Metrics, outcome: str) -> float:
    return float(metrics.events.labels(outcome)._value.get())


def in_stream(store: redis.Redis, settings: Settings) -> list[bytes]:
    """All records, by partition."""
    stream = open_stream(settings)
    return [record.value for name in stream.partitions() for record in stream.read(name, None, 10_000)]


def test_events_lie_in_the_stream_by_user_and_product_events_beside_it(
    store: redis.Redis, redis_settings: Settings, tmp_path: Path, metrics: Metrics
) -> None:
    payloads = [event(1), event(2, "bob"), event(3, event_type="search", query="pots"), b"{bad"]

    async def use(collector: Collector) -> None:
        await collector.put(arrived(*payloads))

    run(open_sink(redis_settings, metrics), tmp_path, metrics, use)
    assert sorted(in_stream(store, redis_settings)) == sorted(payloads)
    anns = str(partition_of("ann", redis_settings.stream_partitions))
    assert payloads[0] in [record.value for record in open_stream(redis_settings).read(anns, None, 9)]
    value = store.get(keys.pending("ann"))
    assert isinstance(value, bytes)
    rows, kinds, times = decode_pending(value, items())
    assert [items().ids[row] for row in rows] == ["p1"]
    assert (kinds.tolist(), times.tolist()) == ([0], [NOW_US + 1_000_000])
    assert value[13:] == product_keys(["e1"]).tobytes()[:6]
    assert 29 * 86_400 < store.ttl(keys.pending("ann")) <= 30 * 86_400
    session = store.get(keys.session("s1"))
    assert isinstance(session, bytes)
    assert [items().ids[row] for row in decode_session(session, items())[0]] == ["p1", "p2"]
    assert tmp_path.exists()
    assert list(tmp_path.iterdir()) == []


def test_an_event_that_comes_twice_is_pending_once_and_only_the_last_count(
    store: redis.Redis, redis_settings: Settings, tmp_path: Path, metrics: Metrics
) -> None:
    numbers = range(PENDING_MOST + 5)

    async def use(collector: Collector) -> None:
        for first in range(0, len(numbers), RECENT):
            some = numbers[first : first + RECENT]
            await collector.put(arrived(*(event(number) for number in some)))
            await collector.put(arrived(*(event(number) for number in some for _ in range(2))))

    run(open_sink(redis_settings, metrics), tmp_path, metrics, use)
    value = store.get(keys.pending("ann"))
    assert isinstance(value, bytes)
    times = [NOW_US + number * 1_000_000 for number in numbers]
    assert len(value) == PENDING_MOST * PENDING_BYTES
    assert decode_pending(value, items())[2].tolist() == times[-PENDING_MOST:]
    session = store.get(keys.session("s1"))
    assert isinstance(session, bytes)
    assert len(session) == 2 + RECENT * 13


def test_a_full_stream_takes_nothing_and_the_spool_takes_over(
    store: redis.Redis, redis_settings: Settings, tmp_path: Path, metrics: Metrics
) -> None:
    small = redis_settings.model_copy(update={"stream_most": 8, "stream_partitions": 4})

    async def use(collector: Collector) -> None:
        await collector.put(arrived(event(1), event(2)))
        await collector.put(arrived(event(3)))
        assert "may hold 2" in str(collector.trouble)
        assert collector.waiting_bytes > 0
        stream = open_stream(small)
        partition = str(partition_of("ann", 4))
        await asyncio.to_thread(stream.forget, partition, stream.read(partition, None, 10)[-1].position)
        await drained(collector)

    run(open_sink(small, metrics), tmp_path, metrics, use)
    assert in_stream(store, small) == [event(3)]


@pytest.mark.parametrize(
    "trouble", [StreamUnavailable("gone"), StreamFull("full"), redis.ConnectionError("no"), OSError("no")]
)
def test_while_the_stream_is_down_events_are_kept_and_then_brought_in_order(
    tmp_path: Path, metrics: Metrics, trouble: Exception
) -> None:
    sink = Stubborn()
    payloads = [event(number) for number in range(20)]

    async def use(collector: Collector) -> None:
        await collector.put(arrived(payloads[0]))
        sink.down = trouble
        for payload in payloads[1:10]:
            await collector.put(arrived(payload))
        assert sink.took == payloads[:1]
        sink.down = None
        for payload in payloads[10:]:
            await collector.put(arrived(payload))
        await drained(collector)

    run(sink, tmp_path, metrics, use)
    assert sink.took == payloads
    assert count(metrics, "spooled") >= 9
    assert metrics.spool_bytes._value.get() == 0
    assert metrics.stream_troubles._value.get() >= 1
    assert list(tmp_path.iterdir()) == []


def test_an_end_waits_for_the_disk(tmp_path: Path, metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    removed = Spool._end_segment
    at_work = threading.Event()

    def slow(spool: Spool) -> None:
        at_work.set()
        time.sleep(0.2)
        removed(spool)

    async def use(collector: Collector) -> None:
        sink.down = StreamUnavailable("gone")
        await collector.put(arrived(event(1)))
        sink.down = None
        await asyncio.to_thread(at_work.wait)

    sink = Stubborn()
    monkeypatch.setattr(Spool, "_end_segment", slow)
    run(sink, tmp_path, metrics, use)
    assert sink.took == [event(1)]
    assert metrics.spool_bytes._value.get() == 0
    assert list(tmp_path.iterdir()) == []


def test_a_stream_that_hangs_is_down(tmp_path: Path, metrics: Metrics) -> None:
    class Hanging(Stubborn):
        async def append(self, arrived: Sequence[Arrival]) -> None:
            await asyncio.Event().wait()

    async def use(collector: Collector) -> None:
        await collector.put(arrived(event(1)))
        assert collector.waiting_bytes > 0
        assert collector.trouble == "it does not answer in time"

    run(Hanging(), tmp_path, metrics, use)


def test_when_the_spool_is_full_too_events_are_refused(tmp_path: Path, metrics: Metrics) -> None:
    async def use(collector: Collector) -> None:
        kept = 0
        with pytest.raises(Refused, match="send them again later"):  # noqa: PT012 - how many fit is open
            for number in range(100):
                await collector.put(arrived(event(number)))
                kept += 1
        assert 5 < kept < 50
        assert count(metrics, "refused") == 1

    run(Stubborn(StreamUnavailable("gone")), tmp_path, metrics, use)


def test_what_an_ended_worker_left_is_brought_by_the_next(tmp_path: Path, metrics: Metrics) -> None:
    payloads = [event(number) for number in range(3)]

    async def keep(collector: Collector) -> None:
        await collector.put(arrived(*payloads))

    run(Stubborn(StreamUnavailable("gone")), tmp_path, metrics, keep)
    sink = Stubborn()
    run(sink, tmp_path, metrics, drained)
    assert sink.took == payloads
    assert list(tmp_path.iterdir()) == []


def test_many_at_once_share_the_way(tmp_path: Path, metrics: Metrics) -> None:
    sizes: list[int] = []

    class Counting(Stubborn):
        async def append(self, arrived: Sequence[Arrival]) -> None:
            sizes.append(len(arrived))
            await super().append(arrived)

    sink = Counting()

    async def use(collector: Collector) -> None:
        await asyncio.gather(*(collector.put(arrived(event(number))) for number in range(1_200)))

    run(sink, tmp_path, metrics, use)
    assert sink.took == [event(number) for number in range(1_200)]
    assert max(sizes) == 500
