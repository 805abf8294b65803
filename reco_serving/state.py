"""Reading the online state of one request: one round trip, a budget, and a breaker when Redis is gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
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
from reco_serving.breaker import Breaker, State
from reco_serving.remembered import Remembered

#: Share of what a request has left that the read of its state may take.
SHARE: Final = 0.25


@dataclass(frozen=True)
class Packed:
    """The values of a user and of a session as they lie in Redis.

    Where Redis failed, ``reached`` is false, and the values are those that this worker saw last.
    ``pending`` holds what was collected of the user and is not yet in ``user``; ``mark`` says how far
    the store had come, where that was asked for.
    """

    user: bytes | None = None
    pending: bytes | None = None
    session: bytes | None = None
    reached: bool = True
    mark: bytes | None = None
    habits: bytes | None = None


@dataclass(frozen=True, slots=True)
class Asker:
    """Whose values are needed: a user, and the visit where the request names it."""

    user_id: str
    session_id: str | None = None


@dataclass
class StateReader:
    """Reads packed values; never raises because Redis is slow or gone.

    Attributes
    ----------
    slow
        Seconds after which Redis counts as failed.
    users, sessions
        What was last read, for when it cannot be.
    """

    client: redis.asyncio.Redis
    slow: float
    breaker: Breaker
    users: Remembered[tuple[bytes | None, bytes | None, bytes | None]]
    sessions: Remembered[bytes]
    _reading: set[asyncio.Timeout] = field(default_factory=set, repr=False)
    _mending: asyncio.Task[None] | None = field(default=None, repr=False)

    @classmethod
    def open(
        cls,
        settings: Settings,
        told: Callable[[State], None] = lambda state: None,
        looked_up: Callable[[str, bool], None] = lambda cache, found: None,
    ) -> Self:
        """A reader of the Redis that ``settings`` mean; nothing is connected yet.

        ``told`` hears when Redis is left alone, tried, and asked again, ``looked_up`` which of ``users`` and
        ``sessions`` was asked instead, and whether it knew.
        """
        client: redis.asyncio.Redis = redis.asyncio.Redis.from_url(
            redis_url(settings), socket_connect_timeout=1.0, retry=Retry(NoBackoff(), 0)
        )
        slow = SHARE * settings.deadline_ms / 1e3
        most = settings.remembered_users
        users, sessions = (partial(looked_up, name) for name in ("users", "sessions"))
        return cls(client, slow, Breaker(told), Remembered(most, users), Remembered(most, sessions))

    async def read(
        self, user_id: str, session_id: str | None, mark: bool = False, left: float | None = None
    ) -> Packed:
        """The values of a user and a session, and how far the store has come, in one round trip.

        It takes at most a quarter of ``left``, the seconds until the request's deadline.
        """
        return (await self.read_all([Asker(user_id, session_id)], mark, left))[0]

    async def read_all(
        self, askers: Sequence[Asker], mark: bool = False, left: float | None = None
    ) -> list[Packed]:
        """As :meth:`read` for several at once, still in one round trip."""
        wanted: list[str] = []
        for one in askers:
            wanted += (keys.user(one.user_id), keys.pending(one.user_id), keys.habits(one.user_id))
            if one.session_id is not None:
                wanted.append(keys.session(one.session_id))
        if mark:
            wanted.append(keys.ONLINE_MARK)
        told = await self._values(wanted, left)
        if told is None:
            return [self._last_seen(one.user_id, one.session_id) for one in askers]
        values = iter(told)
        reached = told[-1] if mark else None
        return [self._found(one, values, reached) for one in askers]

    def _found(self, asker: Asker, values: Iterator[bytes | None], mark: bytes | None) -> Packed:
        """Take the next values, which are those of ``asker``, and remember them."""
        user, pending, habits = next(values), next(values), next(values)
        session = next(values) if asker.session_id is not None else None
        if user is not None or pending is not None or habits is not None:
            self.users.keep(asker.user_id, (user, pending, habits))
        if session is not None and asker.session_id is not None:
            self.sessions.keep(asker.session_id, session)
        return Packed(user, pending, session, mark=mark, habits=habits)

    async def _values(self, wanted: list[str], left: float | None) -> list[bytes | None] | None:
        """The values of the keys ``wanted``; None where Redis is left alone or does not answer in time."""
        if not self.breaker.closed:
            return None
        budget = self.slow if left is None else min(self.slow, SHARE * left)
        begun = time.perf_counter()
        try:
            async with asyncio.timeout(None) as limit:
                self._reading.add(limit)
                timer = asyncio.get_running_loop().call_later(budget, self._expire, limit)
                try:
                    return cast("list[bytes | None]", await self.client.mget(wanted))
                finally:
                    timer.cancel()
                    self._reading.discard(limit)
        except TimeoutError:
            took = time.perf_counter() - begun
            # a worker that was busy for so long itself, or a caller in a hurry, says nothing of Redis
            if self.slow <= took < 2 * self.slow:
                self._failed(f"it does not answer within {1e3 * self.slow:g} ms")
        except (redis.RedisError, OSError) as error:
            # not lost: it is in every answer as its rung, in the counter and on /health
            self._failed(f"{type(error).__name__}: {error}")
        return None

    @property
    def trouble(self) -> str | None:
        """Why Redis is left alone at the moment; None where it is asked."""
        return self.breaker.trouble

    async def ping(self) -> bool:
        """Whether Redis answers; for /health."""
        return (await self.read("", None)).reached

    async def close(self) -> None:
        """Give the connections back."""
        if self._mending is not None:
            self._mending.cancel()
        await self.client.aclose()

    def _last_seen(self, user_id: str, session_id: str | None) -> Packed:
        user, pending, habits = self.users.get(user_id) or (None, None, None)
        session = self.sessions.get(session_id) if session_id is not None else None
        return Packed(user, pending, session, reached=False, habits=habits)

    def _failed(self, reason: str) -> None:
        if not self.breaker.closed:
            return  # asked before it was known
        self.breaker.failed(reason, time.perf_counter())
        for limit in self._reading:
            self._expire(limit)  # nobody else waits for what one has waited for in vain
        if self._mending is None or self._mending.done():
            self._mending = asyncio.create_task(self._mend())

    def _expire(self, limit: asyncio.Timeout, rounds: int = 2) -> None:
        """End a read; first let the loop hand out what has come while it was busy with something else."""
        if limit not in self._reading or limit.expired():
            return
        loop = asyncio.get_running_loop()
        if rounds:
            loop.call_soon(self._expire, limit, rounds - 1)
        else:
            limit.reschedule(loop.time())

    async def _mend(self) -> None:
        """Try Redis again and again, until it answers in time."""
        while not self.breaker.closed:
            if self.breaker.state is State.open:
                await asyncio.sleep(self.breaker.pause)
            self.breaker.trying()
            try:
                # connections that were lost have to be made anew first
                await self.client.connection_pool.disconnect(inuse_connections=False)
                async with asyncio.timeout(max(1.0, self.slow)):
                    await self.client.ping()
                async with asyncio.timeout(self.slow):
                    await self.client.mget([keys.user(""), keys.pending("")])
            except (redis.RedisError, OSError, TimeoutError) as error:
                reason = f"{type(error).__name__}: {error}" if str(error) else "it does not answer in time"
                self.breaker.failed(reason, time.perf_counter())
            else:
                self.breaker.went_well(time.perf_counter())


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
