"""The product columns that an expression may name, on one bundle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Final

import numpy as np

from reco_assets.catalogue.items import ItemTable
from reco_assets.catalogue.strings import Strings
from reco_assets.features.catalogue import PRODUCT_FEATURES, names
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.types import Floats, Int32s

#: Another name of a product feature: that of the catalogue files.
_INVENTORY: Final = "inventory"
#: Columns whose values change between two bundles, as product features arrive.
LIVE: Final = frozenset((*names(PRODUCT_FEATURES), _INVENTORY))
#: The column of ids; it is a text, but has no codes.
PRODUCT_ID: Final = "product_id"


@dataclass(frozen=True)
class Texts:
    """A column of texts: ``int32[n]`` codes into ``names``; -1 unknown."""

    codes: Int32s
    names: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Every product of ``bundle`` with its columns, one value a row of the item table.

    A shop's own column does not hide one of ours that has the same name.
    """

    bundle: Bundle

    @property
    def items(self) -> ItemTable:
        """The products."""
        return self.bundle.items

    def number(self, name: str) -> Floats | None:
        """The column of numbers ``name``, ``float32[n]``, NaN unknown; None where there is none."""
        if name in LIVE:
            feature = "inventory_level" if name == _INVENTORY else name
            return self.bundle.product_matrix[:, names(PRODUCT_FEATURES).index(feature)]
        return self.items.columns.numbers.get(name)

    def text(self, name: str) -> Texts | None:
        """The column of texts ``name``; None where there is none."""
        return self._texts.get(name)

    @cached_property
    def _texts(self) -> dict[str, Texts]:
        items = self.items
        ours: dict[str, tuple[Int32s, Strings]] = {
            "category": (items.category, items.category_names),
            "department": (items.department, items.department_names),
            "brand": (items.brand, items.brand_names),
        }
        return {
            name: Texts(codes, tuple(texts.tolist()))
            for name, (codes, texts) in ({**items.columns.texts, **ours}).items()
        }

    def names(self) -> tuple[str, ...]:
        """Every column, by name."""
        return tuple(sorted(set(self._all())))

    def like(self, name: str) -> str:
        """What to tell somebody who has named a column that there is none of."""
        near = get_close_matches(name, self.names(), n=1)
        return f"did you mean {near[0]}?" if near else f"there are {', '.join(self.names())}"

    def known(self, name: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]] | None:
        """Of which products the column ``name`` is known, ``bool[n]``; None where there is no such column."""
        if name == PRODUCT_ID:
            return np.ones(len(self.items), np.bool_)
        number, text = self.number(name), self.text(name)
        if number is not None:
            return ~np.isnan(number)
        return None if text is None else text.codes >= 0

    def _all(self) -> Iterator[str]:
        yield from LIVE
        yield PRODUCT_ID
        yield from self._texts
        yield from self.items.columns.numbers
