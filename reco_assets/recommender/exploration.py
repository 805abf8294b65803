"""The low places of an answer that new products get, and the exact probability of each."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.newcomers import WORLDS
from reco_assets.recommender.rules import Caps
from reco_assets.recommender.types import Int32s, Int64s, Policy, Recommendation, Request

Bools = npt.NDArray[np.bool_]

#: ``source`` of a product that is shown to learn how it does.
NEW: Final = "new"


def explored(
    ranked: tuple[Recommendation, ...],
    request: Request,
    bundle: Bundle,
    policy: Policy,
    *,
    blocked: Int32s,
    seen: Int32s,
    caps: Caps,
    allowed: Bools | None = None,
    fixed: frozenset[int] = frozenset(),
) -> tuple[Recommendation, ...]:
    """``ranked`` with new products in its last places, each with its propensity.

    At most ``policy.explore`` of the places and ``policy.max_explored``, never the first. The products
    are the best of one joint draw of all new products' rates (Thompson sampling), and
    ``request.seed`` says of which. There are ``WORLDS`` draws, made with the bundle: in how many
    of them a place goes to the same product is counted, not estimated.

    Parameters
    ----------
    blocked
        Item rows that must not be shown.
    seen
        Item rows of the person's history: new products of their categories are preferred.
    caps
        The most that one category, and one brand, may have.
    allowed
        ``bool[n_items]``: what may be shown besides; None for everything.
    fixed
        Places that are not given away.
    """
    free = [place for place in range(1, len(ranked)) if place not in fixed]
    slots = min(int(policy.explore * request.n + 1e-6), policy.max_explored, len(free))
    newcomers = bundle.newcomers
    if slots < 1 or not len(newcomers):
        return ranked
    if caps.per_brand < request.n:
        slots = 1  # the draws look after categories alone: two of one brand could be one too many
    shown = np.array([one.item for one in ranked], np.int32)
    only = -1 if request.category is None else request.category
    closed = np.concatenate([blocked, shown, _closed(newcomers.rows, shown, bundle, caps, allowed)])
    with bundle.scratch() as scratch:
        hidden = scratch.seen
        hidden[closed] = True
        room = _room(newcomers.rows, hidden, bundle.items.category, shown, seen, only, caps.per_category)
        hidden[closed] = False
    picks = _picks(newcomers.order, room, bundle.items.category[newcomers.rows], slots)
    chosen = picks[request.seed % WORLDS]
    share = np.mean(picks == chosen, axis=0)
    answer = list(ranked)
    for slot, (pick, propensity) in enumerate(zip(chosen.tolist(), share.tolist(), strict=True)):
        place = free[len(free) - slots + slot]
        if pick >= 0:
            item = int(newcomers.rows[pick])
            reason = f"new in {bundle.items.category_name(item) or 'the shop'}"
            # the place's own score: what is new has none that could be compared
            answer[place] = Recommendation(item, ranked[place].score, place, NEW, reason, propensity)
        else:
            answer[place] = replace(ranked[place], propensity=propensity)
    return tuple(answer)


def _closed(rows: Int32s, shown: Int32s, bundle: Bundle, caps: Caps, allowed: Bools | None) -> Int32s:
    """Those of ``rows`` that are not ``allowed``, or whose brand has its share of ``shown``."""
    closed = np.zeros(len(rows), np.bool_) if allowed is None else ~allowed[rows]
    if caps.per_brand < len(shown):
        own = bundle.items.brand[rows]
        same = (own[:, None] == bundle.items.brand[shown]).sum(axis=1)
        closed |= (own >= 0) & (same >= caps.per_brand)
    return rows[closed]


@njit(cache=True, nogil=True)
def _room(
    rows: Int32s, hidden: Bools, category: Int32s, shown: Int32s, seen: Int32s, only: int, cap: int
) -> Int64s:
    """How many more of its category each of ``rows`` finds room for among ``shown``; 0 rules it out.

    Only those of the categories of ``seen`` are left where there are any, but in an answer of one
    category (``only``), where it is this one.
    """
    room = np.zeros(len(rows), np.int64)
    liked = np.zeros(len(rows), np.bool_)
    for k in range(len(rows)):
        own = category[rows[k]]
        if hidden[rows[k]] or (only >= 0 and own != only):
            continue
        room[k] = cap
        if own >= 0:
            for item in shown:
                room[k] -= category[item] == own
            for item in seen:
                if category[item] == own:
                    liked[k] = room[k] > 0
                    break
    if only < 0 and liked.any():
        room[~liked] = 0
    return room


@njit(cache=True, nogil=True)
def _picks(order: Int32s, room: Int64s, category: Int32s, slots: int) -> Int32s:
    """``int32[worlds, slots]``: the new product that each draw puts in each place, -1 for none."""
    picks = np.full((len(order), slots), -1, np.int32)
    if not (room > 0).any():
        return picks
    for world in range(len(order)):
        count = 0
        for place in order[world]:
            if count == slots:
                break
            same = 0
            for earlier in range(count):
                taken = picks[world, earlier]
                same += category[place] >= 0 and category[taken] == category[place]
            if same < room[place]:
                picks[world, count] = place
                count += 1
    return picks
