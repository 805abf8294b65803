"""Age and region: which products a visitor may see, as columns of the products say."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Self

import numpy as np

from reco_assets.errors import BadInput
from reco_assets.recommender.policy.columns import Table
from reco_assets.recommender.policy.document import Restricted
from reco_assets.recommender.policy.masks import Bools, members
from reco_assets.recommender.types import Floats

#: Steps of a limit: that the request says nothing, and above it those that it may say.
SILENT = -1


@dataclass(frozen=True)
class Ages:
    """Least ages of products.

    Attributes
    ----------
    least
        ``float32[n]``; NaN where everybody may see the product.
    steps
        The different least ages, rising: two ages between the same steps see the same products.
    hidden
        Whether products with a least age are hidden from a visitor whose age is not known.
    """

    least: Floats
    steps: tuple[float, ...]
    hidden: bool

    @classmethod
    def of(cls, rule: Restricted, table: Table, name: str) -> Self:
        """As ``rule`` of policy ``name`` says; raises BadInput where its column is none of numbers."""
        least = table.number(rule.column)
        if least is None:
            raise BadInput(
                f"reading policy {name}: age.column: products have no column of numbers {rule.column!r}",
                hint=table.like(rule.column),
            )
        known = np.unique(least[~np.isnan(least)])
        return cls(np.array(least), tuple(known.tolist()), rule.unknown == "hide")

    def step(self, age: int | None) -> int:
        """How many of the steps somebody of ``age`` has reached, or ``SILENT``."""
        return SILENT if age is None else bisect_right(self.steps, float(age))

    def allowed(self, step: int) -> Bools:
        """``bool[n]``: what somebody at ``step`` may see."""
        free = np.isnan(self.least)
        if step == SILENT:
            return free if self.hidden else np.ones(len(free), np.bool_)
        reached: Bools = free if step == 0 else free | (self.least <= np.float32(self.steps[step - 1]))
        return reached


@dataclass(frozen=True)
class Regions:
    """Regions that products are limited to.

    Attributes
    ----------
    free
        ``bool[n]``: limited to none.
    of
        For each region in small letters, ``bool[n]``: limited to some, and this is one of them.
    hidden
        Whether limited products are hidden from a visitor whose region is not known.
    """

    free: Bools
    of: dict[str, Bools]
    hidden: bool

    @classmethod
    def read(cls, rule: Restricted, table: Table, name: str) -> Self:
        """As ``rule`` of policy ``name`` says; raises BadInput where its column is none of texts."""
        texts = table.text(rule.column)
        if texts is None:
            raise BadInput(
                f"reading policy {name}: region.column: products have no column of texts {rule.column!r}",
                hint=table.like(rule.column),
            )
        listed = [{one.lower() for one in members(text)} for text in texts.names]
        regions = sorted(set().union(*listed))
        return cls(
            texts.codes < 0,
            {one: np.array([*(one in own for own in listed), False])[texts.codes] for one in regions},
            rule.unknown == "hide",
        )

    def step(self, region: str | None) -> str | None:
        """``region`` where some product is limited to it, "" for any other; None where it is not known."""
        if region is None:
            return None
        small = region.strip().lower()
        return small if small in self.of else ""

    def allowed(self, step: str | None) -> Bools:
        """``bool[n]``: what somebody in region ``step`` may see."""
        if step is None:
            return self.free if self.hidden else np.ones(len(self.free), np.bool_)
        return self.free | self.of[step] if step else self.free
