"""POST /bought-together, /buy-again, /recently-viewed and /rank: lists for somebody, by the same rules."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from reco_assets.errors import BadRequest
from reco_assets.recommender.asked import Asked, Id, resolved, rows_of
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.completion import completing
from reco_assets.recommender.own import bought_again, viewed_lately
from reco_assets.recommender.policy.compiled import Compiled
from reco_assets.recommender.policy.shortfall import shortfall
from reco_assets.recommender.popular_answer import popular_answer
from reco_assets.recommender.recommend import current_history
from reco_assets.recommender.reranked import reranked
from reco_assets.recommender.types import Decision, Int32s, Policy, Recommendation, Request, UserState
from reco_serving.answers import products, understood
from reco_serving.calls import Call
from reco_serving.contract import (
    BoughtTogetherRequest,
    BuyAgainRequest,
    RankRequest,
    RecentlyViewedRequest,
    read,
)
from reco_serving.endpoints import Parts
from reco_serving.http import encode
from reco_serving.ladder import FULL, LADDER, NO_RANKER, NO_USER_STATE, POPULAR
from reco_serving.replies import Listed, Ranked, RankedProduct
from reco_serving.turn import Turn, choice_of, milliseconds, noted, turn_of

log = logging.getLogger("reco.answers")

#: A list of what somebody has had to do with.
_Own: TypeAlias = Callable[[Request, UserState, Bundle, Policy, int, Compiled | None], Decision]


async def answer_bought_together(parts: Parts, body: bytes, call: Call) -> bytes:
    """POST /bought-together."""
    asked = read(BoughtTogetherRequest, body)
    named = [*asked.context.cart, *asked.cart, *asked.products]
    if not named:
        raise BadRequest("products", "is required where no cart is given")
    choice = choice_of(parts, asked.user_id)
    loaded = choice.loaded
    request = understood(asked, loaded)
    request = replace(request, cart=tuple(dict.fromkeys(rows_of(named, loaded.bundle))))
    async with turn_of(parts, asked.user_id, asked.session_id, choice, call) as turn:
        decision = _completed(request, turn)
        if len(decision.recommendations) < request.n:
            past = current_history(request, turn.state, turn.now_us)
            few = len(decision.recommendations)
            told = shortfall(request, few, past, loaded.bundle, turn.policy, turn.rules)
            decision = replace(decision, shortfall=told)
        return _listed(parts, asked.user_id, decision, turn, call)


async def answer_buy_again(parts: Parts, body: bytes, call: Call) -> bytes:
    """POST /buy-again."""
    return await _own(parts, read(BuyAgainRequest, body), call, bought_again)


async def answer_recently_viewed(parts: Parts, body: bytes, call: Call) -> bytes:
    """POST /recently-viewed."""
    return await _own(parts, read(RecentlyViewedRequest, body), call, viewed_lately)


async def answer_rank(parts: Parts, body: bytes, call: Call) -> bytes:
    """POST /rank."""
    asked = read(RankRequest, body)
    choice = choice_of(parts, asked.user_id)
    loaded = choice.loaded
    request = resolved(Asked(context=asked.context), loaded.bundle, 0)
    distinct = list(dict.fromkeys(str(one) for one in asked.products))
    found = [loaded.bundle.items.row(one) for one in distinct]
    unknown = [name for name, row in zip(distinct, found, strict=True) if row < 0]
    items = np.array([row for row in found if row >= 0], np.int32)
    async with turn_of(parts, asked.user_id, asked.session_id, choice, call) as turn:
        ranked, rung, lacking = _ranked(items, request, turn)
        decided_at = time.perf_counter()
        known = [
            RankedProduct(loaded.bundle.items.ids[one.item], one.position, round(one.score, 6), one.source)
            for one in ranked
        ]
        behind = [RankedProduct(name, len(known) + at) for at, name in enumerate(unknown)]
        content = encode(
            Ranked(
                user_id=asked.user_id,
                ranking=[*known, *behind],
                unknown=unknown,
                model_version=loaded.bundle.version,
                latency_ms=milliseconds(call),
                degraded=lacking or not turn.whole,
                rung=rung,
            )
        )
        noted(parts, turn, call, rung, decided_at)
        return content


async def _own(
    parts: Parts, asked: BuyAgainRequest | RecentlyViewedRequest, call: Call, listed: _Own
) -> bytes:
    choice = choice_of(parts, asked.user_id)
    loaded = choice.loaded
    request = understood(asked, loaded)
    async with turn_of(parts, asked.user_id, asked.session_id, choice, call) as turn:
        decision = listed(request, turn.state, loaded.bundle, turn.policy, turn.now_us, turn.rules)
        return _listed(parts, asked.user_id, decision, turn, call)


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


def _listed(parts: Parts, user_id: Id | None, decision: Decision, turn: Turn, call: Call) -> bytes:
    decided_at = time.perf_counter()
    rung = turn.told if decision.rung == FULL else decision.rung
    content = encode(
        Listed(
            user_id=user_id,
            recommendations=products(decision.recommendations, turn.loaded),
            model_version=turn.loaded.bundle.version,
            latency_ms=milliseconds(call),
            degraded=rung != FULL,
            rung=rung,
            shortfall=decision.shortfall,
        )
    )
    noted(parts, turn, call, rung, decided_at)
    return content
