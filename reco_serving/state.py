"""Reading the online state of one request: one round trip, a deadline, and a fuse when Redis is gone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Final, Self, cast

import numpy as np
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from reco_assets.catalogue.items import ItemTable
from reco_assets.errors import IncompatibleBundle
from reco_assets.events.contract import EventType
from reco_assets.online import keys
from reco_assets.online.codec import decode_pending, decode_session, decode_user
from reco_assets.online.habits import decode_habits
from reco_assets.platform.redis import redis_url
from reco_assets.platform.settings import Settings
from reco_assets.recommender.state import empty_state
from reco_assets.recommender.types import BOUGHT, RECENT, Int8s, Int32s, Int64s, UserState

#: A state that comes later than this is worth less than an answer in time. A busy worker delays its
#: own reading too, so this is far above what Redis takes.
DEADLINE_SECONDS: Final = 0.25
#: Pause between two looks at a Redis that failed. Nobody waits for it meanwhile.
MEND_SECONDS: Final = 0.5


@dataclass(frozen=True)
class Packed:
    """The values of a user and of a session as they lie in Redis; ``reached`` is false where it failed.

    ``pending`` holds what was collected of the user and is not yet in ``user``; ``mark`` says how far
    the store had come, where that was asked for.
    """

    user: bytes | None = None
    pending: bytes | None = None
    session: bytes | None = None
    reached: bool = True
    mark: bytes | None = None
    habits: bytes | None = None


@dataclass
class StateReader:
    """Reads packed values; never raises because Redis is slow or gone.

    ``trouble`` says why Redis is left alone at the moment; None where it is asked.
    """

    client: redis.asyncio.Redis
    trouble: str | None = None
    _mending: asyncio.Task[None] | None = field(default=None, repr=False)

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """A reader of the Redis that ``settings`` mean; nothing is connected yet."""
        client: redis.asyncio.Redis = redis.asyncio.Redis.from_url(
            redis_url(settings), socket_connect_timeout=1.0, retry=Retry(NoBackoff(), 0)
        )
        return cls(client)

    async def read(self, user_id: str, session_id: str | None, mark: bool = False) -> Packed:
        """The values of a user and a session, and how far the store has come, in one round trip."""
        if self.trouble is not None:
            return Packed(reached=False)
        wanted = [keys.user(user_id), keys.pending(user_id), keys.habits(user_id)]
        if session_id is not None:
            wanted.append(keys.session(session_id))
        if mark:
            wanted.append(keys.ONLINE_MARK)
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                values = cast("list[bytes | None]", await self.client.mget(wanted))
        except (redis.RedisError, OSError, TimeoutError) as error:
            # not lost: it is in every answer as its rung, in the counter and on /health
            self._blow(error)
            return Packed(reached=False)
        return Packed(
            values[0],
            values[1],
            values[3] if session_id is not None else None,
            mark=values[-1] if mark else None,
            habits=values[2],
        )

    async def ping(self) -> bool:
        """Whether Redis answers; for /health."""
        return (await self.read("", None)).reached

    async def close(self) -> None:
        """Give the connections back."""
        if self._mending is not None:
            self._mending.cancel()
        await self.client.aclose()

    def _blow(self, error: Exception) -> None:
        self.trouble = f"{type(error).__name__}: {error}" if str(error) else "it does not answer in time"
        if self._mending is None or self._mending.done():
            self._mending = asyncio.create_task(self._mend())

    async def _mend(self) -> None:
        """Look again and again, until Redis answers."""
        while self.trouble is not None:
            await asyncio.sleep(MEND_SECONDS)
            try:
                async with asyncio.timeout(1.0):
                    await self.client.mget([keys.user("")])
            except (redis.RedisError, OSError, TimeoutError):
                continue  # what is wrong stands in ``trouble`` already
            self.trouble = None


def unpack(packed: Packed, items: ItemTable) -> tuple[UserState, bool]:
    """The state that ``packed`` holds, and whether all of it could be read.

    Pending and session events that the user's own value lacks stand at their place in time; what was
    bought in a pending event is bought.
    """
    state, whole = empty_state(), packed.reached
    try:
        if packed.user is not None:
            state = decode_user(packed.user, items)
        if packed.habits is not None:
            state = replace(state, habits=decode_habits(packed.habits, items))
        if packed.pending:
            told = decode_pending(packed.pending, items)
            state = _with_events(_with_bought(state, *told), items, *told)
        if packed.session is not None:
            state = _with_events(state, items, *decode_session(packed.session, items))
    except IncompatibleBundle:
        # a newer or older writer: as good as unknown, and the answer says so
        whole = False
    return state, whole


def _with_events(state: UserState, items: ItemTable, rows: Int32s, kinds: Int8s, times: Int64s) -> UserState:
    """``state`` with the events that it lacks, all of them in the order in which the tables have them."""
    known = set(zip(state.items.tolist(), state.kinds.tolist(), state.times.tolist(), strict=True))
    told = zip(rows.tolist(), kinds.tolist(), times.tolist(), strict=True)
    fresh = np.array([event not in known for event in told], np.bool_)
    if not fresh.any():
        return state
    every_item = np.concatenate([state.items, rows[fresh]])
    every_kind = np.concatenate([state.kinds, kinds[fresh]])
    every_time = np.concatenate([state.times, times[fresh]])
    order = np.lexsort((every_kind, items.keys[every_item], every_time))[-RECENT:]
    return replace(state, items=every_item[order], kinds=every_kind[order], times=every_time[order])


def _with_bought(state: UserState, rows: Int32s, kinds: Int8s, times: Int64s) -> UserState:
    """``state`` with what was bought since: each product at the place of its last purchase."""
    told = np.flatnonzero(kinds == EventType.purchase)
    if not len(told):
        return state
    in_time = rows[told][np.argsort(times[told], kind="stable")].tolist()
    last = list(dict.fromkeys(reversed(in_time)))[::-1]
    own = np.concatenate([state.bought[~np.isin(state.bought, last)], np.array(last, np.int32)])
    return replace(state, bought=own[-BOUGHT:])
