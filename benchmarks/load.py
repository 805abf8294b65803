"""A load generator: blocking sockets with keep-alive, in a process of its own, nothing but the wire."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Final

import numpy as np

from benchmarks.open_loop import Question, ask_when_due
from benchmarks.wire import Connection, posted

#: So many may wait at once in the open loop before somebody has to wait for a free connection.
_CONNECTIONS: Final = 64


@dataclass(frozen=True)
class Outcome:
    """What came of a load.

    Attributes
    ----------
    milliseconds
        Of each right answer.
    failed
        Statuses of the others; 0 where there was no whole answer.
    """

    milliseconds: Sequence[float]
    failed: Sequence[int]
    seconds: float

    @property
    def errors(self) -> int:
        """How many were not answered rightly."""
        return len(self.failed)

    def percentile(self, share: float) -> float:
        """Latency that ``share`` per cent stay below, ms; NaN where nothing was answered."""
        if not len(self.milliseconds):
            return float("nan")
        return round(float(np.percentile(np.array(self.milliseconds), share)), 3)

    def per_second(self) -> float:
        """Right answers a second."""
        return round(len(self.milliseconds) / self.seconds, 1)


def closed_loop(port: int, path: str, bodies: Sequence[bytes], concurrency: int, seconds: float) -> Outcome:
    """``concurrency`` clients that each ask again as soon as they are answered."""
    return _apart(_closed_loop, port, path, bodies, concurrency, seconds)


def open_loop(port: int, path: str, bodies: Sequence[bytes], rate: float, seconds: float) -> Outcome:
    """``rate`` requests a second whether or not the earlier ones are answered.

    A latency counts from the moment at which the request was due, so that a server that stalls is
    charged for all who would have come meanwhile.
    """
    return _apart(_open_loop, port, path, bodies, rate, seconds)


def _right(status: int) -> bool:
    return 200 <= status < 300


def _closed_loop(port: int, path: str, bodies: Sequence[bytes], concurrency: int, seconds: float) -> Outcome:
    taken: list[list[float]] = [[] for _ in range(concurrency)]
    failed: list[int] = []
    start = time.perf_counter()
    end = start + seconds

    def client(number: int) -> None:
        connection = Connection(port, path)
        for body in islice(cycle(bodies), number * len(bodies) // concurrency, None):
            begun = time.perf_counter()
            if begun >= end:
                break
            status = connection.ask(body)
            if _right(status):
                taken[number].append((time.perf_counter() - begun) * 1e3)
            else:
                failed.append(status)
        connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(concurrency)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Outcome([one for own in taken for one in own], failed, time.perf_counter() - start)


def _open_loop(port: int, path: str, bodies: Sequence[bytes], rate: float, seconds: float) -> Outcome:
    taken: list[float] = []
    failed: list[int] = []

    def told(question: Question, status: int, content: bytes) -> None:
        if _right(status):
            taken.append((time.time() - question.due) * 1e3)
        else:
            failed.append(status)

    # arrivals of independent visitors: exponential gaps
    gaps = np.random.default_rng(4).exponential(1.0 / rate, int(rate * seconds))
    start = time.time()
    moments = (start + 0.1 + np.cumsum(gaps)).tolist()
    asked = (Question(due, posted(path, body)) for due, body in zip(moments, cycle(bodies), strict=False))
    ask_when_due(port, asked, _CONNECTIONS, told)
    return Outcome(taken, failed, time.time() - start)


def _apart(function: object, *arguments: object) -> Outcome:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        outcome: Outcome = pool.apply(function, arguments)  # type: ignore[arg-type]
    return outcome
