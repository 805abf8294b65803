"""Answers that nobody waits for: they warm a bundle, and say what it takes and what it answers."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import numpy as np

from reco_assets.catalogue.items import product_keys
from reco_assets.errors import BadRequest
from reco_assets.events.contract import EventType
from reco_assets.online.codec import encode_session, pack_pending
from reco_assets.online.packing import Bought, Recent, Users, encode_users
from reco_assets.recommender.asked import RecommendRequest, resolved
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.related import Limits, similar, trending
from reco_assets.recommender.state import empty_state
from reco_assets.recommender.types import Decision, Request
from reco_serving.answers import decide, products, understood
from reco_serving.breath import breath
from reco_serving.contract import read
from reco_serving.evidence import Watched
from reco_serving.http import encode
from reco_serving.ladder import FULL, LADDER, Cost
from reco_serving.loaded import Loaded
from reco_serving.state import Packed, unpack

#: Requests that a worker remembers, to try the next bundle on.
RECORDED: Final = 32
#: Requests that each rung is timed with.
_TIMED: Final = 8


@dataclass(frozen=True)
class Case:
    """A request as it came, and the values that the online store held for it."""

    body: bytes
    packed: Packed


def synthetic(bundle: Bundle) -> tuple[Case, ...]:
    """Requests of every kind, by strangers and by people with packed values as the online store has them."""
    rows = np.asarray(bundle.popular.ranked[:5], np.int32)
    ids = [bundle.items.ids[row] for row in rows.tolist()]
    bodies: list[dict[str, object]] = [
        {"user_id": "u"},
        {"user_id": "u", "session_id": "s", "context": {"products": ids, "device": "mobile"}},
        {"user_id": "u", "num_recommendations": 20, "exclude": ids[:1]},
    ]
    names = [name for name in (bundle.items.category_name(row) for row in rows.tolist()) if name]
    bodies += [{"user_id": "u", "category": name} for name in names[:1]]
    packed = (Packed(), _known(ids, bundle.manifest.as_of))
    return tuple(Case(encode(body), values) for body in bodies for values in packed)


def _known(ids: list[str], now: int) -> Packed:
    """Somebody who has looked at ``ids``, bought the first, and is doing so at this moment."""
    keys = product_keys(ids)
    kinds = np.full(len(ids), int(EventType.click), np.int8)
    times = np.full(len(ids), now, np.int64)
    [user] = encode_users(
        Users(
            features=empty_state().features.reshape(1, -1),
            favorite_category=np.zeros(1, np.uint32),
            first_event_time=times[:1],
            last_event_time=times[:1],
            recent=Recent(np.array([0, len(keys)]), keys, kinds, times),
            bought=Bought(np.array([0, 1]), keys[:1]),
        )
    )
    kinds[-1:] = int(EventType.purchase)
    pending = pack_pending(keys, kinds, times + 1, keys).tobytes()
    return Packed(user, pending, encode_session(keys, kinds, times + 2))


def rehearse(case: Case, loaded: Loaded, now_us: int, best: str = FULL) -> Decision:
    """Answer ``case`` as the service would, from bytes to bytes; the decision.

    Raises
    ------
    BadRequest
        The bundle has no such category, or no such column for the request's filters.
    """
    request = understood(read(RecommendRequest, case.body), loaded)
    state, whole = unpack(case.packed, loaded.bundle.items)
    decision, _ = decide(request, state, whole, loaded.bundle, loaded.rules.now(), now_us, best=best)
    encode(products(decision.recommendations, loaded))
    return decision


def answerable(cases: Sequence[Case], loaded: Loaded) -> tuple[Case, ...]:
    """Those of ``cases`` that ``loaded`` understands: a category or a column may be gone."""
    found = []
    for case in cases:
        with suppress(BadRequest):
            understood(read(RecommendRequest, case.body), loaded)
            found.append(case)
    return tuple(found)


def warm(loaded: Loaded, clock: Callable[[], float] = time.perf_counter) -> None:
    """Compile and page in all that an answer needs, and measure each rung."""
    bundle = loaded.bundle
    now_us = bundle.manifest.as_of
    watched = Watched()
    cases = synthetic(bundle)
    for case in cases:
        for rung in LADDER:
            with breath():
                rehearse(case, loaded, now_us, rung)
    first = cases[0]
    decide(
        resolved(read(RecommendRequest, first.body), bundle, 0),
        empty_state(),
        True,
        bundle,
        loaded.rules.now(),
        now_us,
        watched,
    )
    watched.evidence(None, 0)
    rules = loaded.rules.now()
    limits = Limits.of(Request(), empty_state(), bundle, rules.policy, now_us, rules)
    for within in (None, limits):
        for row in bundle.popular.ranked[:1].tolist():
            similar(row, bundle, 10, now_us, rules.policy, within)
        trending(bundle, 10, None, rules.policy, within)
    spent: dict[str, list[float]] = defaultdict(list)
    for case in _around(cases):
        for rung in LADDER:
            with breath():
                begun = clock()
                rehearse(case, loaded, now_us, rung)
                spent[rung].append(clock() - begun)
    loaded.costs |= {rung: Cost.of(taken, clock()) for rung, taken in spent.items()}


def _around(cases: Sequence[Case]) -> Iterator[Case]:
    """So many of ``cases``, from the first again where there are fewer."""
    return (cases[number % len(cases)] for number in range(_TIMED))
