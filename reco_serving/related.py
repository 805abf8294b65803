"""POST /similar and /trending: lists that no history leads to, by the same rules as all others."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from reco_assets.recommender.asked import category_code
from reco_assets.recommender.policy.compiled import Compiled
from reco_assets.recommender.policy.shortfall import shortfall
from reco_assets.recommender.recommend import current_history
from reco_assets.recommender.related import Limits, similar, trending
from reco_assets.recommender.state import empty_state
from reco_assets.recommender.types import Policy, Recommendation, Request, Shortfall, UserState
from reco_serving.answers import products, understood
from reco_serving.calls import Call
from reco_serving.choices import Choice
from reco_serving.contract import AskedByAnybody, SimilarRequest, TrendingRequest, read
from reco_serving.endpoints import Parts
from reco_serving.http import Refusal, encode
from reco_serving.ladder import FULL
from reco_serving.loaded import Loaded
from reco_serving.replies import Related
from reco_serving.stages import Stages
from reco_serving.turn import choice_of, milliseconds, noted, turn_of

#: Makes a list by a policy at a moment, UTC microseconds, within limits where there are any.
_List: TypeAlias = Callable[[Policy, int, Limits | None], tuple[Recommendation, ...]]


async def answer_similar(parts: Parts, body: bytes, call: Call) -> bytes:
    """POST /similar."""
    asked = read(SimilarRequest, body)
    choice = choice_of(parts, asked.user_id)
    loaded = choice.loaded
    bundle, n = loaded.bundle, asked.num_recommendations
    row = bundle.items.row(str(asked.product_id))
    if row < 0:
        raise Refusal(404, "product_id", f"there is no product {str(asked.product_id)!r}")

    def listed(policy: Policy, now: int, limits: Limits | None) -> tuple[Recommendation, ...]:
        return similar(row, bundle, n, now, policy, limits)

    if asked.category is None and _plain(asked, loaded):
        return await _everything(parts, asked, loaded, (row,), listed, call)
    return await _within(parts, asked, choice, (row,), listed, call)


async def answer_trending(parts: Parts, body: bytes, call: Call) -> bytes:
    """POST /trending."""
    asked = read(TrendingRequest, body or b"{}")
    choice = choice_of(parts, asked.user_id)
    loaded = choice.loaded
    bundle, n = loaded.bundle, asked.num_recommendations
    category = category_code(asked.category, bundle)

    def listed(policy: Policy, now: int, limits: Limits | None) -> tuple[Recommendation, ...]:
        return trending(bundle, n, category, policy, limits)

    if _plain(asked, loaded):
        return await _everything(parts, asked, loaded, (), listed, call)
    return await _within(parts, asked, choice, (), listed, call)


def _plain(asked: AskedByAnybody, loaded: Loaded) -> bool:
    """Whether neither the request nor the policy file hides or moves a product."""
    return (
        loaded.rules.open
        and asked.user_id is None
        and not asked.filters
        and not asked.exclude
        and not asked.context.cart
        and asked.context.product_id is None
    )


async def _everything(
    parts: Parts, asked: AskedByAnybody, loaded: Loaded, named: tuple[int, ...], listed: _List, call: Call
) -> bytes:
    """The list where nothing but stock limits it: there is nobody to look up, and no mask to be made."""
    rules = loaded.rules
    async with parts.gate.alone(call) as turn_at:
        now = time.time_ns() // 1000
        found = listed(rules.policy, now, None)
        told = None
        if len(found) < asked.num_recommendations:
            request = _naming(understood(asked, loaded), named)
            told = _short(request, found, empty_state(), loaded, rules.policy, now, rules.now())
        decided_at = time.perf_counter()
        content = _related(found, loaded, call, told, FULL)
        stages = Stages(call.started, turn_at, decided_at, time.perf_counter())
        stages.tell(parts.metrics.answered, call, FULL)
        return content


async def _within(
    parts: Parts, asked: AskedByAnybody, choice: Choice, named: tuple[int, ...], listed: _List, call: Call
) -> bytes:
    """The list within the rules for this user, or for anybody."""
    loaded = choice.loaded
    request = _naming(understood(asked, loaded), named)
    async with turn_of(parts, asked.user_id, asked.session_id, choice, call) as turn:
        policy, now = turn.policy, turn.now_us
        limits = Limits.of(request, turn.state, loaded.bundle, policy, now, turn.rules)
        found = listed(policy, now, limits)
        told = _short(request, found, turn.state, loaded, policy, now, turn.rules)
        decided_at = time.perf_counter()
        content = _related(found, loaded, call, told, turn.told)
        noted(parts, turn, call, turn.told, decided_at)
        return content


def _naming(request: Request, named: tuple[int, ...]) -> Request:
    return replace(request, exclude=(*request.exclude, *named))


def _short(
    request: Request,
    found: tuple[Recommendation, ...],
    state: UserState,
    loaded: Loaded,
    policy: Policy,
    now: int,
    rules: Compiled,
) -> Shortfall | None:
    if len(found) >= request.n:
        return None
    past = current_history(request, state, now)
    return shortfall(request, len(found), past, loaded.bundle, policy, rules)


def _related(
    found: tuple[Recommendation, ...],
    loaded: Loaded,
    call: Call,
    told: Shortfall | None,
    rung: str,
) -> bytes:
    shown = products(found, loaded)
    version, degraded = loaded.bundle.version, rung != FULL
    return encode(Related(shown, version, milliseconds(call), degraded, rung, told))
