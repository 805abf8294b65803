"""What a request says beside its body: until when it wants an answer, and how important it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from reco_assets.errors import BadRequest
from reco_serving.http import Header
from reco_serving.tracing import Trace

DEADLINE: Final = b"x-deadline-ms"
PRIORITY: Final = b"x-priority"
#: The longest deadline that may be asked for, ms.
MOST_MS: Final = 60_000.0


class Priority(IntEnum):
    """Who is answered first and best when there is not enough for all."""

    high = 0
    normal = 1
    low = 2


_PRIORITIES: Final = {one.name.encode(): one for one in Priority}


@dataclass(frozen=True, slots=True)
class Call:
    """One request while it is answered; moments are seconds of ``time.perf_counter``.

    ``endpoint`` is whom metrics call it by; ``trace`` is where a traced one writes down its parts.
    """

    started: float
    deadline: float
    priority: Priority
    endpoint: str
    trace: Trace | None = None

    @property
    def allowed(self) -> float:
        """Seconds between its start and its deadline."""
        return self.deadline - self.started


def call_of(
    headers: Iterable[Header],
    started: float,
    deadline_seconds: float,
    endpoint: str,
    trace: Trace | None = None,
) -> Call:
    """Read the headers ``X-Deadline-Ms`` and ``X-Priority``; ``deadline_seconds`` where there is none.

    Raises
    ------
    BadRequest
        One of them cannot be read.
    """
    priority = Priority.normal
    for name, value in headers:
        if name == DEADLINE:
            deadline_seconds = _milliseconds(value) / 1e3
        elif name == PRIORITY:
            known = _PRIORITIES.get(value.strip().lower())
            if known is None:
                raise BadRequest("X-Priority", "must be high, normal or low")
            priority = known
    return Call(started, started + deadline_seconds, priority, endpoint, trace)


def _milliseconds(value: bytes) -> float:
    try:
        found = float(value)
    except ValueError:
        found = 0.0
    if not 0.0 < found <= MOST_MS:
        raise BadRequest("X-Deadline-Ms", f"must be a number above 0, and at most {MOST_MS:.0f}")
    return found
