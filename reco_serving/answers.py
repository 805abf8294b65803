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
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.fallback import popular_within
from reco_assets.recommender.policy.compiled import Compiled
from reco_assets.recommender.policy.rules import Rules
from reco_assets.recommender.policy.shortfall import shortfall
from reco_assets.recommender.recommend import current_history, recommend
from reco_assets.recommender.types import (
    Context,
    Decision,
    Floats,
    Policy,
    Recommendation,
    Request,
    Shortfall,
    UserState,
)
from reco_serving.contract import Context as AskedContext
from reco_serving.contract import Product, RecommendRequest
from reco_serving.current import Loaded

_PRICE: Final = names(PRODUCT_FEATURES).index("price")

#: Is told the candidates of an answer and their features.
Witness = Callable[[Candidates, Floats], None]

log = logging.getLogger("reco.answers")


def resolved(asked: RecommendRequest, bundle: Bundle, seed: int) -> Request:
    """The request in item rows and category codes; products that the bundle lacks are left out.

    Raises
    ------
    BadRequest
        The category does not exist.
    """
    context = asked.context
    return Request(
        n=asked.num_recommendations,
        context=Context(
            context.device, context.page, context.hour, context.weekday, context.age, context.region
        ),
        session_items=_rows(_in_front(context), bundle),
        exclude=_rows(asked.exclude, bundle),
        category=category_code(asked.category, bundle),
        seed=seed,
        cart=_rows(context.cart, bundle),
        filters=asked.filters.strip(),
    )


def check_filters(request: Request, rules: Rules) -> None:
    """Refuse a request (BadRequest) whose filters cannot be used with these products."""
    try:
        rules.now().within(request)
    except BadExpression as error:
        hint = f" ({error.hint})" if error.hint else ""
        raise BadRequest("filters", f"{error.message}{hint}") from error


def category_code(name: str | None, bundle: Bundle) -> int | None:
    """Code of category ``name``; raises BadRequest where the shop has none of that name."""
    if name is None:
        return None
    code = bundle.items.category_codes.get(name)
    if code is None:
        raise BadRequest("category", f"there is no category {name!r}")
    return code


def decide(
    request: Request,
    state: UserState,
    whole: bool,
    bundle: Bundle,
    rules: Compiled,
    now_us: int,
    witness: Witness | None = None,
    policy: Policy | None = None,
) -> tuple[Decision, bool]:
    """The decision, with the rung that answered, and whether it is degraded.

    ``policy`` takes the place of that of ``rules`` where it is given.
    Whatever fails inside, somebody is shown products: a defect is logged and answered with what is
    popular, within the rules.
    """
    policy = policy or rules.policy
    try:
        decision = recommend(request, state, bundle, policy, now_us, witness, rules)
        if len(decision.recommendations) < request.n:
            past = current_history(request, state, now_us)
            told = shortfall(request, len(decision.recommendations), past, bundle, policy, rules)
            decision = replace(decision, shortfall=told)
    except Exception:
        log.exception("ranking failed; what is popular answers")
        shown = popular_within(request, state, bundle, policy, rules)
        missing = request.n - len(shown)
        lacking = Shortfall(missing, len(bundle.items), {}) if missing else None
        return Decision(shown, 0, "popular", lacking), True
    if not whole:
        return replace(decision, rung="no_user_state"), True
    # a bundle whose training chose the blend of sources has no ranker, and lacks nothing
    return decision, decision.rung == "popular"


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


def _in_front(context: AskedContext) -> list[str | int]:
    """Products that the visitor has just had to do with, the most telling last."""
    last = [context.product_id] if context.product_id is not None else []
    return [*context.cart, *context.products, *last]


def _rows(ids: list[str | int], bundle: Bundle) -> tuple[int, ...]:
    if not ids:
        return ()
    found = (bundle.items.row(str(product_id)) for product_id in ids)
    return tuple(row for row in found if row >= 0)
