"""What may not answer a request, for the lists that are made without a ranking of candidates."""

from __future__ import annotations

from reco_assets.candidates.retriever import History
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.policy.compiled import Compiled
from reco_assets.recommender.policy.masks import Bools
from reco_assets.recommender.recommend import blocked_items, hidden_items
from reco_assets.recommender.types import Policy, Request


def hidden_by(
    request: Request, past: History, bundle: Bundle, policy: Policy, rules: Compiled | None
) -> Bools:
    """``bool[n_items]``: what the request, the person's past, the stock, ``policy`` or ``rules`` hide."""
    within = rules.within(request) if rules is not None else None
    return hidden_items(request, blocked_items(request, past, bundle, policy), bundle, within)
