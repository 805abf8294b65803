"""Visitors who come whether or not the earlier ones are answered, and what became of each of them."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from multiprocessing.pool import AsyncResult
from typing import Final

import numpy as np

from benchmarks.open_loop import Question, ask_when_due
from benchmarks.wire import posted

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
        pool.apply(_started)
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


def _started() -> None:
    """Nothing, once the process that is asked for it has imported what visitors need."""


def _come(
    port: int, bodies: Sequence[bytes], phases: Sequence[tuple[float, float]], priorities: bool
) -> list[Seen]:
    seen: list[Seen] = []
    dice = random.Random(5)

    def told(question: Question, status: int, content: bytes) -> None:
        rung = _rung(content) if status == 200 else ""
        taken = (time.time() - question.due) * 1e3
        seen.append(Seen(question.due, taken, status, rung, question.note))

    def asked() -> Iterator[Question]:
        for moment, body in zip(_moments(phases), cycle(bodies), strict=False):
            note = dice.choices(list(PRIORITIES), list(PRIORITIES.values()))[0] if priorities else ""
            headers = b"X-Priority: %b\r\n" % note.encode() if note else b""
            yield Question(moment, posted("/recommend", body, headers), note)

    ask_when_due(port, asked(), CLIENTS, told)
    return sorted(seen, key=lambda one: one.due)


def _rung(content: bytes) -> str:
    """What an answer says of its rung: it is not read as a whole, thousands come every second."""
    return content.split(b'"rung":"', 1)[1].split(b'"', 1)[0].decode()


def _moments(phases: Sequence[tuple[float, float]]) -> Iterator[float]:
    """Arrivals of independent visitors: exponential gaps."""
    rng = np.random.default_rng(4)
    start = time.time() + 0.2
    for rate, seconds in phases:
        gaps = rng.exponential(1.0 / rate, max(1, int(2 * rate * seconds)))
        moments = start + np.cumsum(gaps)
        yield from moments[moments < start + seconds].tolist()
        start += seconds
