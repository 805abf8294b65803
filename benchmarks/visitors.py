"""Visitors who come whether or not the earlier ones are answered, and what became of each of them."""

from __future__ import annotations

import json
import multiprocessing
import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from multiprocessing.pool import AsyncResult
from typing import Final

import numpy as np

from benchmarks.load import Connection

#: Connections: so many may wait at once before a visitor has to wait for a free one.
CLIENTS: Final = 200
#: Who comes: priorities by their shares.
PRIORITIES: Final = {"high": 0.1, "normal": 0.6, "low": 0.3}


@dataclass(frozen=True, slots=True)
class Seen:
    """One request: when it was due (``time.time``), its latency from then on, what was answered.

    ``status`` is 0 where the connection broke; ``rung`` is empty where the status is not 200.
    """

    due: float
    milliseconds: float
    status: int
    rung: str
    priority: str

    @property
    def in_time(self) -> bool:
        """Whether it was answered with products within 100 ms."""
        return self.status == 200 and self.milliseconds < 100.0


@contextmanager
def visitors(
    port: int, bodies: Sequence[bytes], phases: Sequence[tuple[float, float]], priorities: bool = False
) -> Iterator[Callable[[], list[Seen]]]:
    """Visitors in a process of their own, in ``phases`` of (requests a second, seconds).

    What the block is given waits for the end and returns all that they saw, in the order in which they
    came.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        coming: AsyncResult[list[Seen]] = pool.apply_async(_come, (port, bodies, phases, priorities))
        yield coming.get


def rungs(seen: Sequence[Seen]) -> dict[str, int]:
    """How often each rung answered."""
    return dict(Counter(one.rung for one in seen if one.rung).most_common())


def recovery(seen: Sequence[Seen], since: float) -> float | None:
    """Seconds from ``since`` to the first second in which all but one in a hundred are whole and in time."""
    for number in range(round(seen[-1].due - since)):
        own = [one for one in seen if since + number <= one.due < since + number + 1]
        whole = sum(one.in_time and one.rung == "full" for one in own)
        if own and whole >= 0.99 * len(own):
            return float(number)
    return None


def _come(
    port: int, bodies: Sequence[bytes], phases: Sequence[tuple[float, float]], priorities: bool
) -> list[Seen]:
    due: queue.SimpleQueue[tuple[float, bytes, str] | None] = queue.SimpleQueue()
    seen: list[Seen] = []

    def client() -> None:
        connection = Connection(port, "/recommend")
        while (one := due.get()) is not None:
            moment, body, priority = one
            headers = b"X-Priority: %b\r\n" % priority.encode() if priority else b""
            status, content = connection.exchange(body, headers)
            taken = (time.time() - moment) * 1e3
            rung = str(json.loads(content)["rung"]) if status == 200 else ""
            seen.append(Seen(moment, taken, status, rung, priority))
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    dice = random.Random(5)
    for moment, body in zip(_moments(phases), cycle(bodies), strict=False):
        pause = moment - time.time()
        if pause > 0:
            time.sleep(pause)
        priority = dice.choices(list(PRIORITIES), list(PRIORITIES.values()))[0] if priorities else ""
        due.put((moment, body, priority))
    for _ in threads:
        due.put(None)
    for thread in threads:
        thread.join()
    return sorted(seen, key=lambda one: one.due)


def _moments(phases: Sequence[tuple[float, float]]) -> Iterator[float]:
    """Arrivals of independent visitors: exponential gaps."""
    rng = np.random.default_rng(4)
    start = time.time() + 0.2
    for rate, seconds in phases:
        gaps = rng.exponential(1.0 / rate, max(1, int(2 * rate * seconds)))
        moments = start + np.cumsum(gaps)
        yield from moments[moments < start + seconds].tolist()
        start += seconds
