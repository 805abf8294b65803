"""From a decoded request to an answer: ids to item rows and back, with the state that could be read."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from math import isnan
from typing import Final

from reco_assets.candidates.sources import Candidates
from reco_assets.errors import BadExpression, BadRequest
from reco_assets.features.catalogue import PRODUCT_FEATURES, names
from reco_assets.recommender.asked import Asked, resolved
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.fallback import bought_by, popular_within
from reco_assets.recommender.policy.compiled import Compiled
from reco_assets.recommender.policy.rules import Rules
from reco_assets.recommender.policy.shortfall import lacking, shortfall
from reco_assets.recommender.popular_answer import popular_answer
from reco_assets.recommender.recommend import current_history, recommend
from reco_assets.recommender.types import (
    Decision,
    Floats,
    Policy,
    Recommendation,
    Request,
    UserState,
)
from reco_serving.ladder import FULL, LADDER, NO_RANKER, NO_USER_STATE, POPULAR
from reco_serving.loaded import Loaded
from reco_serving.replies import Product

_PRICE: Final = names(PRODUCT_FEATURES).index("price")

#: Is told the candidates of an answer and their features.
Witness = Callable[[Candidates, Floats], None]

log = logging.getLogger("reco.answers")


def check_filters(request: Request, rules: Rules) -> None:
    """Refuse a request (BadRequest) whose filters cannot be used with these products."""
    try:
        rules.now().within(request)
    except BadExpression as error:
        hint = f" ({error.hint})" if error.hint else ""
        raise BadRequest("filters", f"{error.message}{hint}") from error


def understood(asked: Asked, loaded: Loaded, seed: int = 0) -> Request:
    """The request in the terms of the bundle; raises BadRequest with the field that cannot be used."""
    request = resolved(asked, loaded.bundle, seed)
    if request.filters:
        check_filters(request, loaded.rules)
    return request


def decide(
    request: Request,
    state: UserState,
    whole: bool,
    bundle: Bundle,
    rules: Compiled,
    now_us: int,
    witness: Witness | None = None,
    policy: Policy | None = None,
    best: str = FULL,
) -> tuple[Decision, bool]:
    """The decision of rung ``best``, with the rung that answered, and whether it is degraded.

    ``policy`` takes the place of that of ``rules`` where it is given.
    Whatever fails inside, somebody is shown products within the rules: a defect is logged, and the next
    rung answers.
    """
    policy = policy or rules.policy
    for rung in LADDER[LADDER.index(best) :]:
        try:
            decision = _at(rung, request, state, bundle, policy, rules, now_us, witness)
        except Exception:
            log.exception("answering as %s failed; the next rung answers", rung)
            continue
        if rung == FULL and not whole:
            return replace(decision, rung=NO_USER_STATE), True
        # a bundle whose training chose the blend of sources has no ranker, and lacks nothing
        poorer = decision.rung not in (FULL, NO_RANKER) or (rung != FULL and bundle.ranker is not None)
        return decision, poorer or not whole
    shown = popular_within(request, state, bundle, policy, rules)
    told = lacking(request, len(shown), bought_by(state), bundle, policy, rules)
    return Decision(shown, 0, POPULAR, told), True


def _at(
    rung: str,
    request: Request,
    state: UserState,
    bundle: Bundle,
    policy: Policy,
    rules: Compiled,
    now_us: int,
    witness: Witness | None,
) -> Decision:
    if rung in (FULL, NO_RANKER):
        used = bundle if rung == FULL else replace(bundle, ranker=None)
        decision = recommend(request, state, used, policy, now_us, witness, rules)
    else:
        personal = rung != POPULAR
        decision = popular_answer(request, state, bundle, policy, now_us, personal=personal, rules=rules)
    if len(decision.recommendations) < request.n:
        past = current_history(request, state, now_us)
        told = shortfall(request, len(decision.recommendations), past, bundle, policy, rules)
        decision = replace(decision, shortfall=told)
    return decision


def products(recommendations: tuple[Recommendation, ...], loaded: Loaded) -> list[Product]:
    """The recommendations as an answer shows them."""
    prices = loaded.bundle.product_matrix[[one.item for one in recommendations], _PRICE].tolist()
    shown = []
    for one, price in zip(recommendations, prices, strict=True):
        product_id, title, category = loaded.texts(one.item)
        shown.append(
            Product(
                product_id=product_id,
                score=round(one.score, 6),
                position=one.position,
                source=one.source,
                reason=one.reason,
                title=title,
                category=category,
                price=None if isnan(price) else round(price, 4),
                campaign=one.campaign or None,
                rules=list(one.rules),
            )
        )
    return shown
