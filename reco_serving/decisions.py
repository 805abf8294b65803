"""Decision records: what was asked, known and answered, written to a stream off the request's path."""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Final

import msgspec
import redis

from reco_assets.online import keys
from reco_serving.metrics import Metrics

#: Records held while Redis is slow or gone; the oldest give way to new ones and are counted.
BUFFERED: Final = 10_000
#: Records that the stream keeps; some 80 MB.
KEPT: Final = 100_000
_PAUSE_SECONDS: Final = 0.1
_BATCH: Final = 200

log = logging.getLogger("reco.decisions")


class Decided(msgspec.Struct, frozen=True):
    """One decision with all that is needed to make it again, to the bit.

    Attributes
    ----------
    request
        The body as it came.
    user_state, pending_state, session_state
        The packed values as Redis held them; None where there were none.
    reached
        Whether Redis could be read.
    now_us, seed
        The clock, and what breaks ties.
    product_epoch
        Which product features the bundle had.
    products, scores, sources
        The answer, best first.
    """

    recommendation_id: str
    request: bytes
    user_state: bytes | None
    pending_state: bytes | None
    session_state: bytes | None
    reached: bool
    bundle: str
    product_epoch: int
    now_us: int
    seed: int
    rung: str
    variant: str
    products: list[str]
    scores: list[float]
    sources: list[str]


@dataclass
class DecisionLog:
    """A bounded buffer and the thread that empties it into the stream ``decisions``."""

    client: redis.Redis
    metrics: Metrics
    _buffer: deque[Decided] = field(default_factory=lambda: deque(maxlen=BUFFERED), repr=False)
    _stop: threading.Event = field(default_factory=threading.Event, repr=False)
    _thread: threading.Thread | None = field(default=None, repr=False)

    def start(self) -> None:
        """Begin to write."""
        self._thread = threading.Thread(target=self._run, name="decision-log", daemon=True)
        self._thread.start()

    def add(self, decided: Decided) -> None:
        """Put a record in the buffer; costs a microsecond."""
        if len(self._buffer) == BUFFERED:
            self.metrics.decisions.labels("dropped").inc()
        self._buffer.append(decided)

    def stop(self) -> None:
        """Write what is left, as far as Redis takes it, and end the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    def flush(self) -> int:
        """Write up to a batch; how many. Records stay in the buffer where Redis refuses them."""
        batch = [self._buffer.popleft() for _ in range(min(_BATCH, len(self._buffer)))]
        if not batch:
            return 0
        try:
            with self.client.pipeline(transaction=False) as together:
                for decided in batch:
                    entry: dict[str | bytes, bytes] = {"d": msgspec.msgpack.encode(decided)}
                    together.xadd(keys.DECISIONS, entry, maxlen=KEPT, approximate=True)  # type: ignore[arg-type]
                together.execute()
        except redis.RedisError as error:
            # a record may then be twice in the stream; its id says so
            free = BUFFERED - len(self._buffer)
            self._buffer.extendleft(reversed(batch[-free:] if free else []))
            if free < len(batch):
                self.metrics.decisions.labels("dropped").inc(len(batch) - free)
            log.warning("writing decision records: %s; %d wait", error, len(self._buffer))
            return 0
        self.metrics.decisions.labels("written").inc(len(batch))
        return len(batch)

    def _run(self) -> None:
        while not self._stop.is_set():
            if self.flush() < _BATCH:
                self._stop.wait(_PAUSE_SECONDS if not self._waiting() else 1.0)
        while self.flush():
            pass

    def _waiting(self) -> bool:
        return len(self._buffer) >= _BATCH
