"""Decision records: what was asked, known and answered, written to a stream off the request's path."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.trace import SpanContext

from reco_assets.events.decided import Decided, encode
from reco_assets.platform.streams.redis_stream import RedisStream
from reco_assets.platform.streams.stream import StreamUnavailable
from reco_serving.metrics import Metrics
from reco_serving.recent import Recent
from reco_serving.tracing import Tracer

#: Records held while the stream does not take them; the oldest give way to new ones and are counted.
BUFFERED: Final = 10_000
#: Records that the stream holds while nobody brings them into the lake; some 80 MB.
KEPT: Final = 100_000
_PAUSE_SECONDS: Final = 0.1
#: Pause between two attempts at a stream that does not take records, perhaps for days.
_TROUBLED_SECONDS: Final = 1.0
_BATCH: Final = 200
#: What the thread may take to end: two attempts at a Redis that does not answer, five seconds each.
_END_SECONDS: Final = 12.0

log = logging.getLogger("reco.decisions")


@dataclass
class DecisionLog:
    """A bounded buffer and the thread that empties it into the stream of decisions.

    Attributes
    ----------
    tracer
        Hears of each batch that holds records of traced requests.
    trouble
        Why the stream does not take records at the moment; None where it does.
    recent
        What this worker has decided lately.
    """

    stream: RedisStream
    metrics: Metrics
    tracer: Tracer | None = None
    trouble: str | None = None
    recent: Recent = field(default_factory=Recent, repr=False)
    _most: int = field(default=_BATCH, repr=False)
    _buffer: deque[Decided] = field(default_factory=lambda: deque(maxlen=BUFFERED), repr=False)
    _causes: deque[tuple[str, SpanContext]] = field(default_factory=lambda: deque(maxlen=_BATCH), repr=False)
    _stop: threading.Event = field(default_factory=threading.Event, repr=False)
    _thread: threading.Thread | None = field(default=None, repr=False)

    def start(self) -> None:
        """Begin to write."""
        self._thread = threading.Thread(target=self._run, name="decision-log", daemon=True)
        self._thread.start()

    def add(self, decided: Decided, cause: SpanContext | None = None) -> None:
        """Put a record in the buffer, made by the traced request ``cause``; costs a microsecond."""
        if len(self._buffer) == BUFFERED:
            self.metrics.decisions.labels("dropped").inc()
        self._buffer.append(decided)
        if cause is not None:
            self._causes.append((decided.recommendation_id, cause))
        self.recent.keep(decided)

    def stop(self) -> None:
        """Write what is left, as far as the stream takes it, and end the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=_END_SECONDS)

    def flush(self) -> int:
        """Write up to a batch; how many. Records stay in the buffer where the stream refuses them.

        A stream that has refused is asked with one record, then with two, four...: a full one costs
        next to nothing.
        """
        batch = [self._buffer.popleft() for _ in range(min(self._most, len(self._buffer)))]
        if not batch:
            return 0
        begun = time.perf_counter()
        try:
            self.stream.append([(one.recommendation_id, encode(one)) for one in batch])
        except StreamUnavailable as error:
            # a record may then be twice in the stream; its id says so
            free = BUFFERED - len(self._buffer)
            self._buffer.extendleft(reversed(batch[-free:] if free else []))
            if free < len(batch):
                self.metrics.decisions.labels("dropped").inc(len(batch) - free)
            if self.trouble is None:
                log.warning("decision records wait, the oldest give way to new ones: %s", error)
            self.trouble, self._most = str(error), 1
            return 0
        self._most = min(_BATCH, 2 * self._most)
        if self._most == _BATCH or not self._buffer:
            self.trouble = None
        self.metrics.decisions.labels("written").inc(len(batch))
        if self.tracer is not None:
            known = dict(list(self._causes))
            causes = [known[one.recommendation_id] for one in batch if one.recommendation_id in known]
            if causes:
                self.tracer.wrote("append to stream of decisions", begun, time.perf_counter(), causes)
        return len(batch)

    def _run(self) -> None:
        while not self._stop.is_set():
            written = self.flush()
            if self.trouble is not None and not written:
                self._stop.wait(_TROUBLED_SECONDS)
            elif written < _BATCH:
                self._stop.wait(_PAUSE_SECONDS)
        while self.flush():
            pass
        if self._buffer:
            left = len(self._buffer)
            self.metrics.decisions.labels("dropped").inc(left)
            log.warning("%d decision records end with this worker: %s", left, self.trouble)
