"""POST /bought-together, /buy-again, /recently-viewed and /rank: lists for somebody, by the same rules."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np

from reco_assets.errors import BadRequest
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.completion import completing
from reco_assets.recommender.own import bought_again, viewed_lately
from reco_assets.recommender.policy.compiled import Compiled
from reco_assets.recommender.policy.shortfall import shortfall
from reco_assets.recommender.popular_answer import popular_answer
from reco_assets.recommender.recommend import current_history
from reco_assets.recommender.reranked import reranked
from reco_assets.recommender.types import Decision, Int32s, Policy, Recommendation, Request, UserState
from reco_serving.answers import check_filters, products, resolved, rows_of
from reco_serving.calls import Call
from reco_serving.choices import Choice
from reco_serving.contract import (
    Asked,
    BoughtTogetherRequest,
    BuyAgainRequest,
    Id,
    Listed,
    Ranked,
    RankedProduct,
    RankRequest,
    RecentlyViewedRequest,
    read,
)
from reco_serving.endpoints import Parts
from reco_serving.http import encode
from reco_serving.ladder import FULL, LADDER, NO_RANKER, NO_USER_STATE, POPULAR
from reco_serving.loaded import Loaded
from reco_serving.state import Packed, unpack

log = logging.getLogger("reco.answers")

#: A list of what somebody has had to do with.
_Own: TypeAlias = Callable[
    [Request, UserState, Bundle, Policy, int, Compiled | None], tuple[Recommendation, ...]
]
_NOBODY: Final = Packed()


@dataclass(frozen=True, slots=True)
class Turn:
    """All that one answer is made from, while nobody else's is made and no product changes."""

    loaded: Loaded
    state: UserState
    whole: bool
    rules: Compiled
    policy: Policy
    rung: str
    now_us: int

    @property
    def told(self) -> str:
        """The rung that an answer from everything at hand names."""
        return FULL if self.whole else NO_USER_STATE


async def answer_bought_together(parts: Parts, body: bytes, call: Call) -> bytes:
    """POST /bought-together."""
    asked = read(BoughtTogetherRequest, body)
    named = [*asked.context.cart, *asked.cart, *asked.products]
    if not named:
        raise BadRequest("products", "is required where no cart is given")
    choice = _choice(parts, asked.user_id)
    loaded = choice.loaded
    request = _understood(asked, loaded)
    request = replace(request, cart=tuple(dict.fromkeys(rows_of(named, loaded.bundle))))
    async with _turn(parts, asked.user_id, asked.session_id, choice, call) as turn:
        decision = _completed(request, turn)
        if len(decision.recommendations) < request.n:
            past = current_history(request, turn.state, turn.now_us)
            few = len(decision.recommendations)
            told = shortfall(request, few, past, loaded.bundle, turn.policy, turn.rules)
            decision = replace(decision, shortfall=told)
        return _listed(asked.user_id, decision, turn, call)


async def answer_buy_again(parts: Parts, body: bytes, call: Call) -> bytes:
    """POST /buy-again."""
    return await _own(parts, read(BuyAgainRequest, body), call, bought_again)


async def answer_recently_viewed(parts: Parts, body: bytes, call: Call) -> bytes:
    """POST /recently-viewed."""
    return await _own(parts, read(RecentlyViewedRequest, body), call, viewed_lately)


async def answer_rank(parts: Parts, body: bytes, call: Call) -> bytes:
    """POST /rank."""
    asked = read(RankRequest, body)
    choice = _choice(parts, asked.user_id)
    loaded = choice.loaded
    request = resolved(Asked(context=asked.context), loaded.bundle, 0)
    distinct = list(dict.fromkeys(str(one) for one in asked.products))
    found = [loaded.bundle.items.row(one) for one in distinct]
    unknown = [name for name, row in zip(distinct, found, strict=True) if row < 0]
    items = np.array([row for row in found if row >= 0], np.int32)
    async with _turn(parts, asked.user_id, asked.session_id, choice, call) as turn:
        ranked, rung, lacking = _ranked(items, request, turn)
        known = [
            RankedProduct(loaded.bundle.items.ids[one.item], one.position, round(one.score, 6), one.source)
            for one in ranked
        ]
        behind = [RankedProduct(name, len(known) + at) for at, name in enumerate(unknown)]
        return encode(
            Ranked(
                user_id=asked.user_id,
                ranking=[*known, *behind],
                unknown=unknown,
                model_version=loaded.bundle.version,
                latency_ms=_milliseconds(call),
                degraded=lacking or not turn.whole,
                rung=rung,
            )
        )


async def _own(
    parts: Parts, asked: BuyAgainRequest | RecentlyViewedRequest, call: Call, listed: _Own
) -> bytes:
    choice = _choice(parts, asked.user_id)
    loaded = choice.loaded
    request = _understood(asked, loaded)
    async with _turn(parts, asked.user_id, asked.session_id, choice, call) as turn:
        shown = listed(request, turn.state, loaded.bundle, turn.policy, turn.now_us, turn.rules)
        return _listed(asked.user_id, Decision(shown, 0, FULL), turn, call)


def _choice(parts: Parts, user_id: Id | None) -> Choice:
    """By what this user is answered; by the champion where nobody is named."""
    champion = parts.loaded()
    return Choice(champion, champion) if user_id is None else parts.variants.of(str(user_id), champion)


def _understood(asked: Asked, loaded: Loaded) -> Request:
    request = resolved(asked, loaded.bundle, 0)
    if request.filters:
        check_filters(request, loaded.rules)
    return request


@asynccontextmanager
async def _turn(
    parts: Parts, user_id: Id | None, session_id: Id | None, choice: Choice, call: Call
) -> AsyncIterator[Turn]:
    """Read what is known of the user, wait for the turn of ``call``, and hold the products still."""
    loaded, changes = choice.loaded, choice.changes
    with parts.gate.admitted(call):
        packed = _NOBODY
        if user_id is not None:
            session = str(session_id) if session_id is not None else None
            packed = await parts.states.read(str(user_id), session, left=call.deadline - time.perf_counter())
        turn_at = await parts.gate.turn(call)
        try:
            rung = parts.rung(loaded, call, turn_at)
            state, whole = unpack(packed, loaded.bundle.items)
            with loaded.feed.steady:
                rules = loaded.rules.now()
                policy = rules.policy.changed(changes) if changes else rules.policy
                yield Turn(loaded, state, whole, rules, policy, rung, time.time_ns() // 1000)
        finally:
            parts.gate.release()


def _completed(request: Request, turn: Turn) -> Decision:
    bundle, rules = turn.loaded.bundle, turn.rules
    if turn.rung in (FULL, NO_RANKER):  # no ranker is asked for a cart
        try:
            return completing(request, turn.state, bundle, turn.policy, turn.now_us, rules)
        except Exception:
            log.exception("completing a cart failed; popular products answer")
    return popular_answer(request, turn.state, bundle, turn.policy, turn.now_us, rules=rules)


def _ranked(items: Int32s, request: Request, turn: Turn) -> tuple[tuple[Recommendation, ...], str, bool]:
    """The list in its order, the rung that gave it, and whether it lacks something by that."""
    bundle = turn.loaded.bundle
    for rung in (FULL, NO_RANKER):
        if LADDER.index(rung) < LADDER.index(turn.rung):
            continue
        used = bundle if rung == FULL else replace(bundle, ranker=None)
        try:
            ranked = reranked(items, request, turn.state, used, turn.now_us, turn.rules)
        except Exception:
            log.exception("ranking a list as %s failed; the next rung answers", rung)
            continue
        name = FULL if used.ranker is not None else NO_RANKER
        lacking = used.ranker is None and bundle.ranker is not None
        return ranked, name if turn.whole else NO_USER_STATE, lacking
    scores = bundle.popular.scores[items]
    order = np.argsort(-scores, kind="stable")
    pairs = zip(items[order].tolist(), scores[order].tolist(), strict=True)
    shown = tuple(Recommendation(item, score, at, POPULAR, "") for at, (item, score) in enumerate(pairs))
    return shown, POPULAR, True


def _listed(user_id: Id | None, decision: Decision, turn: Turn, call: Call) -> bytes:
    rung = turn.told if decision.rung == FULL else decision.rung
    return encode(
        Listed(
            user_id=user_id,
            recommendations=products(decision.recommendations, turn.loaded),
            model_version=turn.loaded.bundle.version,
            latency_ms=_milliseconds(call),
            degraded=rung != FULL,
            rung=rung,
            shortfall=decision.shortfall,
        )
    )


def _milliseconds(call: Call) -> float:
    return round((time.perf_counter() - call.started) * 1e3, 3)
