"""Why an answer has fewer products than it was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from reco_assets.candidates.retriever import History
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.policy.compiled import Compiled
from reco_assets.recommender.policy.masks import Bools, holds
from reco_assets.recommender.types import Int32s, Policy, Request, Shortfall

NOTHING: Final = np.empty(0, np.int32)


@dataclass(frozen=True)
class Among:
    """The products that a list is made of, where these are not all.

    Attributes
    ----------
    items
        ``int32[n]`` item rows.
    others
        What the shortfall calls all that are none of them.
    """

    items: Int32s
    others: str


def shortfall(
    request: Request,
    shown: int,
    past: History,
    bundle: Bundle,
    policy: Policy,
    rules: Compiled | None,
    among: Among | None = None,
) -> Shortfall | None:
    """Why only ``shown`` products answer ``request``; None where they are as many as were asked for."""
    if shown >= request.n:
        return None
    rows, again = bundle.repeat.again(past)
    bought, later = rows[again <= policy.rebuy_above], bundle.items.unborn(past.now)
    return lacking(request, shown, bought, bundle, policy, rules, among, later)


def lacking(
    request: Request,
    shown: int,
    bought: Int32s,
    bundle: Bundle,
    policy: Policy,
    rules: Compiled | None,
    among: Among | None = None,
    later: Int32s = NOTHING,
) -> Shortfall | None:
    """The same of an answer that left out the item rows ``later``, which are not there yet, and ``bought``.

    The last only if ``policy`` hides what was bought.
    """
    if shown >= request.n:
        return None
    n = len(bundle.items)
    left = np.ones(n, np.bool_)
    counts: dict[str, int] = {}
    if among is not None:
        left[:] = False
        left[among.items] = True
        counts[among.others] = n - int(left.sum())
    for name, hidden in _hidden(request, bought, later, bundle, policy, rules):
        mask = np.zeros(n, np.bool_)
        mask[hidden] = True
        count = int((mask & left).sum())
        if count:
            counts[name] = count
        left &= ~mask
    return Shortfall(request.n - shown, n, counts)


def _hidden(
    request: Request, bought: Int32s, later: Int32s, bundle: Bundle, policy: Policy, rules: Compiled | None
) -> Iterator[tuple[str, Int32s | Bools]]:
    if request.category is not None:
        yield "category", bundle.items.category != request.category
    if request.filters and rules is not None:
        yield "filters", ~holds(request.filters, rules.table)
    yield "exclude", _rows(request.exclude)
    yield "cart", _rows(request.cart)
    yield "not yet", later
    if policy.hide_bought:
        yield "bought", bought
    if policy.in_stock_only:
        yield "stock", bundle.sold_out
    if rules is None:
        return
    if rules.filter is not None:
        yield "policy filter", ~rules.filter
    if rules.ages is not None:
        yield "age", ~rules.ages.allowed(rules.ages.step(request.context.age))
    if rules.regions is not None:
        yield "region", ~rules.regions.allowed(rules.regions.step(request.context.region))


def _rows(rows: tuple[int, ...]) -> Int32s:
    return np.array([row for row in rows if row >= 0], np.int32)
