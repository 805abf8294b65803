"""A policy on one bundle: what its rules come to for every product, so that a request only looks up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final, Self

import numpy as np

from reco_assets.errors import BadExpression
from reco_assets.recommender.policy.boosts import Boosts
from reco_assets.recommender.policy.columns import LIVE, Table
from reco_assets.recommender.policy.document import Document, at_field
from reco_assets.recommender.policy.limits import Ages, Regions
from reco_assets.recommender.policy.masks import Bools, holds
from reco_assets.recommender.policy.promotions import Campaign
from reco_assets.recommender.types import BOUGHT, RECENT, Int32s, Policy, Request

#: Memory for the masks of requests that were asked lately, bytes, and how many there are at the most.
_REMEMBERED: Final = 32_000_000
_MOST_REMEMBERED: Final = 64
#: As many popular products are kept of those that a request allows: more than it can exclude besides.
_REACH: Final = 5_000 + BOUGHT + RECENT


@dataclass(frozen=True)
class Within:
    """What the filters, the age and the region of a request leave.

    Attributes
    ----------
    allowed
        ``bool[n_items]``.
    popular
        The most popular of these that are in stock, where the policy asks for that; best first.
    """

    allowed: Bools
    popular: Int32s


@dataclass(frozen=True, eq=False)
class Compiled:
    """The rules of one policy for the products of one bundle, as they are at this moment.

    Attributes
    ----------
    policy
        The rules that need no product column.
    digest
        Of the policy's text; empty where it is the bundle's own.
    filter
        ``bool[n_items]``: products that the policy's filter is true for; None without one.
    """

    table: Table
    policy: Policy
    digest: str = ""
    filter: Bools | None = None
    ages: Ages | None = None
    regions: Regions | None = None
    boosts: Boosts | None = None
    campaigns: tuple[Campaign, ...] = ()
    max_promoted: float = 0.0

    @classmethod
    def of(
        cls, document: Document, table: Table, digest: str, name: str, before: Compiled | None = None
    ) -> Self:
        """The policy ``document``; ``name`` is that of its file.

        ``before`` is the same on earlier product features: what does not follow them is taken from there.

        Raises
        ------
        BadInput
            An expression or a column cannot be used with these products; it names the field.
        """
        try:
            kept = None if document.filter is None else holds(document.filter, table)
        except BadExpression as error:
            raise at_field(error, "filter", name) from error
        ages, regions = (None, None) if before is None else (before.ages, before.regions)
        if document.age is not None and (ages is None or document.age.column in LIVE):
            ages = Ages.of(document.age, table, name)
        if document.region is not None and regions is None:
            regions = Regions.read(document.region, table, name)
        return cls(
            table=table,
            policy=document.over(table.bundle.policy),
            digest=digest,
            filter=kept,
            ages=ages,
            regions=regions,
            boosts=Boosts.of(document.boosts, table, name) if document.boosts else None,
            campaigns=tuple(
                Campaign.of(one, table, f"promotions[{number}]", name)
                for number, one in enumerate(document.promotions)
            ),
            max_promoted=document.max_promoted,
        )

    def within(self, request: Request) -> Within | None:
        """What ``request`` may be answered with; None where that is everything.

        Raises BadExpression where its filters cannot be used.
        """
        if self.filter is None and self.ages is None and self.regions is None and not request.filters:
            return None
        age = 0 if self.ages is None else self.ages.step(request.context.age)
        region = None if self.regions is None else self.regions.step(request.context.region)
        return self._within(request.filters, age, region)

    @cached_property
    def _within(self) -> Callable[[str, int, str | None], Within]:
        # a mask and a list for each; a shop asks for the same few again and again
        size = len(self.table.items) + 4 * _REACH
        return lru_cache(max(4, min(_MOST_REMEMBERED, _REMEMBERED // size)))(self._found)

    def _found(self, filters: str, age: int, region: str | None) -> Within:
        masks = []
        if self.filter is not None:
            masks.append(self.filter)
        if self.ages is not None:
            masks.append(self.ages.allowed(age))
        if self.regions is not None:
            masks.append(self.regions.allowed(region))
        if filters:
            masks.append(holds(filters, self.table))
        allowed: Bools = np.logical_and.reduce(masks)
        shown = allowed.copy()
        if self.policy.in_stock_only:
            shown[self.table.bundle.sold_out] = False
        ranked = self.table.bundle.popular.ranked
        return Within(allowed, ranked[shown[ranked]][:_REACH])
