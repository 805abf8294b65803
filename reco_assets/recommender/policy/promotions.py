"""Promotions: places of an answer that a campaign's products get for a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from math import ceil
from typing import Final, Self

import numpy as np

from reco_assets.errors import BadExpression
from reco_assets.recommender.policy.columns import Table
from reco_assets.recommender.policy.document import Promotion, at_field
from reco_assets.recommender.policy.masks import Bools, holds
from reco_assets.recommender.rules import Caps
from reco_assets.recommender.types import Int32s

#: ``source`` of a product that a promotion put in its place.
PROMOTED: Final = "promotion"
#: Of a campaign's products that are no candidates of a person, the most popular ones are tried.
MOST_TRIED: Final = 1_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Campaign:
    """One promotion on one bundle.

    Attributes
    ----------
    start, end
        UTC microseconds; None where it has none.
    members
        ``bool[n_items]``: its products.
    popular
        Rows of the first ``MOST_TRIED`` of these by popularity.
    """

    name: str
    share: float
    start: int | None
    end: int | None
    members: Bools
    popular: tuple[int, ...]

    @classmethod
    def of(cls, promotion: Promotion, table: Table, field: str, name: str) -> Self:
        """``promotion`` in ``field`` of policy ``name``; raises BadInput where it cannot be used."""
        members = np.zeros(len(table.items), np.bool_)
        if promotion.when is not None:
            try:
                members |= holds(promotion.when, table)
            except BadExpression as error:
                raise at_field(error, f"{field}.when", name) from error
        rows = [table.items.row(product_id) for product_id in promotion.products]
        members[[row for row in rows if row >= 0]] = True
        ranked = table.bundle.popular.ranked
        return cls(
            promotion.campaign,
            promotion.share,
            _micros(promotion.start),
            _micros(promotion.end),
            members,
            tuple(ranked[members[ranked]][:MOST_TRIED].tolist()),
        )

    def runs(self, now: int) -> bool:
        """Whether it holds at ``now``, UTC microseconds."""
        return (self.start is None or self.start <= now) and (self.end is None or now < self.end)


@dataclass(frozen=True)
class Promoted:
    """A product that ``campaign`` puts at ``place``, from 0."""

    place: int
    item: int
    campaign: str


def promoted(
    campaigns: Iterable[Campaign],
    share: float,
    standing: Sequence[int],
    ranked: Int32s,
    hidden: Bools,
    caps: Caps,
    now: int,
) -> tuple[Promoted, ...]:
    """What the running campaigns put into an answer, by place.

    Of the first m places, a campaign with share s gets at most s * m, spread over the answer, and all
    together at most ``share`` of it; the first place stays the ranking's. Products of a campaign that
    stand in the answer by their own score count as placed already.

    Parameters
    ----------
    standing
        Item rows of the answer without promotions, best first.
    ranked
        Item rows of the person's candidates, best first.
    hidden
        ``bool[n_items]``: what must not be shown.
    caps
        What the promoted products of one category, or brand, may not exceed.
    """
    n = len(standing)
    left = int(share * n + 1e-6)
    taken: dict[int, Promoted] = {}
    used: set[int] = set()
    counts: tuple[Counter[int], Counter[int]] = (Counter(), Counter())
    for campaign in campaigns:
        slots = int(campaign.share * n + 1e-6)
        if not slots or not left or not campaign.runs(now):
            continue
        # the last places of the answer are those that promoted products will take from it
        own = [item for item in standing[: n - slots] if campaign.members[item]]
        used.update(own)
        placed = len(own)
        for item in chain(ranked[campaign.members[ranked]].tolist(), campaign.popular):
            if placed >= slots or not left:
                break
            if item in used or hidden[item] or not caps.room(item, *counts):
                continue
            place = ceil((placed + 1) / campaign.share - 1e-6) - 1
            while place in taken:
                place += 1
            if place >= n:
                break
            taken[place] = Promoted(place, item, campaign.name)
            caps.count(item, *counts)
            used.add(item)
            placed += 1
            left -= 1
    return tuple(taken[place] for place in sorted(taken))


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else round((moment - _EPOCH).total_seconds() * 1e6)
