"""What completes a cart: what is bought with its products, then what people turn to after them."""

from __future__ import annotations

from typing import Final

import numpy as np

from reco_assets.candidates.retriever import history
from reco_assets.candidates.sources import SOURCES
from reco_assets.events.contract import EventType
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.hidden import hidden_by
from reco_assets.recommender.policy.compiled import Compiled
from reco_assets.recommender.ranked import Ranked
from reco_assets.recommender.reasons import explained
from reco_assets.recommender.recommend import caps_of, current_history, shares_among
from reco_assets.recommender.types import Decision, Floats, Policy, Request, UserState

#: Sources that say what goes into one cart; all others count a tenth of what they say of likeness, so
#: that they only put what nobody has bought together yet in an order.
COMPLETES: Final = {"bought_together": 1.0, "complements": 0.3, "viewed_then_bought": 0.2}
_WEIGHTS: Final = np.array(
    [COMPLETES.get(name, 0.1 * source.similar) for name, source in SOURCES.items()], np.float32
)
_NOBODY: Final = np.empty(0, np.int32)


def completing(
    request: Request,
    state: UserState,
    bundle: Bundle,
    policy: Policy,
    now: int,
    rules: Compiled | None = None,
) -> Decision:
    """Products that go with those in ``request.cart``; popular ones follow where they are too few.

    The policy's filters, caps and boosts hold as in :func:`.recommend`; promotions do not count.

    Parameters
    ----------
    now
        UTC microseconds.
    """
    hidden = hidden_by(request, current_history(request, state, now), bundle, policy, rules)
    rows = np.array(request.cart, np.int32)
    kinds = np.full(len(rows), int(EventType.add_to_cart), np.int8)
    cart = history(rows, kinds, np.full(len(rows), now, np.int64), _NOBODY, now)
    with bundle.scratch() as scratch:
        found = bundle.sources.candidates(cart, _NOBODY, policy.candidates, scratch, None, ~hidden)
    shares = shares_among(found.scores)
    scores: Floats = shares @ _WEIGHTS
    if rules is not None and rules.boosts is not None:
        scores = rules.boosts.applied(found.items, scores)
    order = np.lexsort((found.items, -scores))
    ranked = Ranked(found.items[order], scores[order], shares[order] * _WEIGHTS)
    caps = caps_of(request, bundle, policy)
    chosen = caps.within(ranked.items, request.n)
    if len(chosen) < request.n:
        hidden[ranked.items] = True
        popular = bundle.popular.ranked
        ranked = ranked.followed_by(popular[~hidden[popular]])
        chosen = caps.fill(ranked.items, request.n)
    boosts = rules.boosts if rules is not None else None
    by_source = ranked.by_source[chosen]
    shown = explained(ranked.items[chosen], ranked.scores[chosen], by_source, cart, bundle, boosts=boosts)
    return Decision(shown, len(found.items), "full")
