"""What a policy's rules come to on one bundle, and what looks like a mistake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reco_assets.recommender.policy.compiled import Compiled
from reco_assets.recommender.policy.document import Document
from reco_assets.recommender.policy.masks import holds
from reco_assets.recommender.types import Context, Request

#: The length of an answer that warnings think of.
_USUAL = Request().n


@dataclass(frozen=True)
class Examined:
    """One rule: its field, how many products it is for, and what is odd about it; empty where nothing is."""

    field: str
    products: int
    warning: str = ""


def examined(document: Document, rules: Compiled, now: int) -> tuple[Examined, ...]:
    """Every rule of ``document`` that looks at products, with ``rules`` made of it; ``now`` is UTC us."""
    return tuple(_rules(document, rules, now))


def left_for_strangers(rules: Compiled) -> int:
    """How many products may be shown to somebody of whom nothing is known."""
    within = rules.within(Request(context=Context()))
    shown = np.ones(len(rules.table.items), np.bool_) if within is None else within.allowed.copy()
    if rules.policy.in_stock_only:
        shown[rules.table.bundle.sold_out] = False
    return int(shown.sum())


def _rules(document: Document, rules: Compiled, now: int) -> Iterator[Examined]:
    n = len(rules.table.items)
    if rules.filter is not None:
        left = int(rules.filter.sum())
        odd = "it leaves no product" if not left else "it leaves out no product" if left == n else ""
        yield Examined("filter", left, odd)
    if rules.ages is not None:
        limited = int((~np.isnan(rules.ages.least)).sum())
        yield Examined("age", limited, "" if limited else "no product has a least age")
    if rules.regions is not None:
        limited = int((~rules.regions.free).sum())
        yield Examined("region", limited, "" if limited else "no product is limited to a region")
    for number, boost in enumerate(document.boosts):
        count = int(holds(boost.when, rules.table).sum())
        odd = "" if count else "it is for no product"
        if boost.multiply == 1.0 and boost.add == 0.0:
            odd = "it changes nothing: give it `multiply` or `add`"
        yield Examined(f"boosts[{number}] {boost.name}", count, odd)
    for number, (promotion, campaign) in enumerate(zip(document.promotions, rules.campaigns, strict=True)):
        count = int(campaign.members.sum())
        unknown = [one for one in promotion.products if rules.table.items.row(one) < 0]
        odd = ""
        if not count:
            odd = "it is for no product"
        elif campaign.end is not None and campaign.end <= now:
            odd = "it is over"
        elif unknown:
            odd = f"there is no product {', '.join(unknown[:5])}{'...' if len(unknown) > 5 else ''}"
        elif int(min(promotion.share, document.max_promoted) * _USUAL + 1e-6) == 0:
            odd = f"an answer of {_USUAL} has no place for it"
        yield Examined(f"promotions[{number}] {promotion.campaign}", count, odd)
