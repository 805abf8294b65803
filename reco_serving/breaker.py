"""A circuit breaker: a dependency that fails is left alone, and tried again by itself, not by a visitor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

#: Pause before a dependency that has just failed is tried; it doubles with each failure up to the most.
FIRST_PAUSE_SECONDS: Final = 0.1
MOST_PAUSE_SECONDS: Final = 1.0
#: Trials in a row that must go well before visitors' requests go there again.
NEEDED: Final = 2
#: Whoever fails again so soon after it was mended starts with the pause that it had come to.
_FORGIVEN_SECONDS: Final = 10.0


class State(IntEnum):
    """Whether a dependency is asked: always, only to try it, not at all."""

    closed = 0
    half_open = 1
    open = 2


@dataclass
class Breaker:
    """The state of one dependency; times are seconds of any one clock.

    One failure opens it: with a deadline of its own the failure has cost one visitor something already,
    and to try again costs nobody.

    Attributes
    ----------
    told
        Hears each new state.
    trouble
        Why it is not asked; None while it is.
    pause
        Seconds to wait before the next trial.
    """

    told: Callable[[State], None] = lambda state: None
    state: State = State.closed
    trouble: str | None = None
    pause: float = FIRST_PAUSE_SECONDS
    _good: int = field(default=0, repr=False)
    _closed_at: float = field(default=float("-inf"), repr=False)

    @property
    def closed(self) -> bool:
        """Whether the dependency may be asked for a visitor."""
        return self.state is State.closed

    def failed(self, reason: str, now: float) -> None:
        """It failed, or was too slow: nobody asks it, until a trial goes well."""
        if self.state is State.closed:
            forgiven = now - self._closed_at > _FORGIVEN_SECONDS
            self.pause = FIRST_PAUSE_SECONDS if forgiven else min(2 * self.pause, MOST_PAUSE_SECONDS)
        elif self.state is State.half_open:
            self.pause = min(2 * self.pause, MOST_PAUSE_SECONDS)
        self.trouble, self._good = reason, 0
        self._become(State.open)

    def trying(self) -> None:
        """A trial begins."""
        self._become(State.half_open)

    def went_well(self, now: float) -> None:
        """A trial was answered in time."""
        self._good += 1
        if self._good >= NEEDED:
            self.trouble, self._closed_at = None, now
            self._become(State.closed)

    def _become(self, state: State) -> None:
        if state is not self.state:
            self.state = state
            self.told(state)
