"""The turn of one answer: who asks, by what they are answered, and what is known while it is made."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from reco_assets.recommender.asked import Id
from reco_assets.recommender.policy.compiled import Compiled
from reco_assets.recommender.types import Policy, UserState
from reco_serving.calls import Call
from reco_serving.choices import Choice
from reco_serving.endpoints import Parts
from reco_serving.ladder import FULL, NO_USER_STATE
from reco_serving.loaded import Loaded
from reco_serving.stages import Stages
from reco_serving.state import Packed, unpack

_NOBODY: Final = Packed()


@dataclass(frozen=True, slots=True)
class Turn:
    """All that one answer is made from, while nobody else's is made and no product changes.

    ``turn_at``, ``read_at`` and ``from_redis`` are as in :class:`.Stages`.
    """

    loaded: Loaded
    state: UserState
    whole: bool
    rules: Compiled
    policy: Policy
    rung: str
    now_us: int
    turn_at: float
    read_at: float | None
    from_redis: bool

    @property
    def told(self) -> str:
        """The rung that an answer from everything at hand names."""
        return FULL if self.whole else NO_USER_STATE


def choice_of(parts: Parts, user_id: Id | None) -> Choice:
    """By what this user is answered; by the champion where nobody is named."""
    champion = parts.loaded()
    return Choice(champion, champion) if user_id is None else parts.variants.of(str(user_id), champion)


@asynccontextmanager
async def turn_of(
    parts: Parts, user_id: Id | None, session_id: Id | None, choice: Choice, call: Call
) -> AsyncIterator[Turn]:
    """Read what is known of the user, wait for the turn of ``call``, and hold the products still."""
    loaded, changes = choice.loaded, choice.changes
    with parts.gate.admitted(call):
        packed, read_at = _NOBODY, None
        if user_id is not None:
            session = str(session_id) if session_id is not None else None
            packed = await parts.states.read(str(user_id), session, left=call.deadline - time.perf_counter())
            read_at = time.perf_counter()
        turn_at = await parts.gate.turn(call)
        try:
            rung = parts.rung(loaded, call, turn_at)
            state, whole = unpack(packed, loaded.bundle.items)
            with loaded.feed.steady:
                rules = loaded.rules.now()
                policy = rules.policy.changed(changes) if changes else rules.policy
                now_us, asked = time.time_ns() // 1000, user_id is not None and packed.reached
                yield Turn(loaded, state, whole, rules, policy, rung, now_us, turn_at, read_at, asked)
        finally:
            parts.gate.release()


def noted(parts: Parts, turn: Turn, call: Call, rung: str, decided_at: float) -> None:
    """Count the answer of ``turn`` to ``call``: just written, its products known since ``decided_at``."""
    ended = time.perf_counter()
    stages = Stages(call.started, turn.turn_at, decided_at, ended, turn.read_at, turn.from_redis)
    stages.tell(parts.metrics.answered, call, rung)


def milliseconds(call: Call) -> float:
    """What ``call`` has taken so far."""
    return round((time.perf_counter() - call.started) * 1e3, 3)
