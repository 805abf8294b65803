"""The item table: products as dense rows, with the stable keys by which the outside names them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from functools import cached_property
from hashlib import blake2b
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from reco_assets.catalogue.attributes import Columns, own_columns
from reco_assets.catalogue.strings import Strings
from reco_assets.errors import BadInput

#: Bits of a product key: 6 bytes in Redis; a million products collide with probability 0.002.
KEY_BITS: Final = 48
#: Separator between the levels of a category path, as in "electronics > phones".
LEVEL: Final = " > "


def _key(text: str, size: int) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=size).digest(), "little")


def product_keys(ids: Iterable[str]) -> npt.NDArray[np.uint64]:
    """Stable 48-bit keys of product ids, ``uint64[n]``; the same on every machine and for ever."""
    return np.fromiter((_key(text, KEY_BITS // 8) for text in ids), dtype=np.uint64)


def category_key(name: str) -> int:
    """Stable 32-bit key of a category path."""
    return _key(name, 4)


@dataclass(frozen=True)
class ItemTable:
    """Products by dense row, sorted by product id.

    Attributes
    ----------
    ids, titles
        Texts; an unknown title is empty.
    keys
        ``uint64[n]`` product keys.
    category, department, brand
        ``int32[n]`` codes into the names below; -1 unknown. The department is the first level
        of the category path.
    price, inventory
        ``float32[n]``; NaN unknown.
    first_seen
        ``int64[n]`` UTC microseconds.
    columns
        The shop's own columns, which rules may read.
    """

    ids: Strings
    titles: Strings
    keys: npt.NDArray[np.uint64]
    category: npt.NDArray[np.int32]
    department: npt.NDArray[np.int32]
    brand: npt.NDArray[np.int32]
    price: npt.NDArray[np.float32]
    inventory: npt.NDArray[np.float32]
    first_seen: npt.NDArray[np.int64]
    category_names: Strings
    department_names: Strings
    brand_names: Strings
    columns: Columns = field(default_factory=Columns)

    def __len__(self) -> int:
        """Number of products."""
        return len(self.keys)

    @cached_property
    def _order(self) -> npt.NDArray[np.int64]:
        return np.argsort(self.keys, kind="stable")

    @cached_property
    def _by_birth(self) -> npt.NDArray[np.int32]:
        return np.argsort(self.first_seen, kind="stable").astype(np.int32)

    @cached_property
    def _births(self) -> npt.NDArray[np.int64]:
        return np.asarray(self.first_seen)[self._by_birth]

    def unborn(self, now: int) -> npt.NDArray[np.int32]:
        """Rows of the products that were not known yet at ``now``, UTC microseconds."""
        return self._by_birth[int(np.searchsorted(self._births, now, side="right")) :]

    @cached_property
    def _sorted_keys(self) -> npt.NDArray[np.uint64]:
        return np.asarray(self.keys)[self._order]

    @cached_property
    def category_codes(self) -> dict[str, int]:
        """Code of each category path."""
        return {name: code for code, name in enumerate(self.category_names.tolist())}

    @cached_property
    def category_codes_by_key(self) -> dict[int, int]:
        """Code of each category by its 32-bit key."""
        return {category_key(name): code for name, code in self.category_codes.items()}

    def rows(self, keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.int32]:
        """Rows of product ``keys``, ``int32[n]``; -1 where the table has no such product."""
        if len(self) == 0:
            return np.full(len(keys), -1, np.int32)
        at = np.minimum(np.searchsorted(self._sorted_keys, keys), len(self) - 1)
        return np.where(self._sorted_keys[at] == keys, self._order[at], -1).astype(np.int32)

    def row(self, product_id: str) -> int:
        """Row of one product; -1 where the table has no such product."""
        row = int(self.rows(product_keys([product_id]))[0])
        return row if row >= 0 and self.ids[row] == product_id else -1

    def category_name(self, row: int) -> str | None:
        """Category path of the product at ``row``."""
        code = int(self.category[row])
        return self.category_names[code] if code >= 0 else None

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Every column as an array, by file name."""
        found: dict[str, npt.NDArray[np.generic]] = {}
        for column in fields(self):
            value = getattr(self, column.name)
            if isinstance(value, Columns):
                found |= value.arrays()
            elif isinstance(value, Strings):
                found[f"{column.name}.offsets"], found[f"{column.name}.data"] = value.offsets, value.data
            else:
                found[column.name] = value
        return found

    @classmethod
    def of_arrays(cls, arrays: dict[str, npt.NDArray[np.generic]]) -> Self:
        """The table that :meth:`arrays` took apart."""
        values = {
            column.name: Strings(arrays[f"{column.name}.offsets"], arrays[f"{column.name}.data"])  # type: ignore[arg-type]
            if f"{column.name}.data" in arrays
            else arrays[column.name]
            for column in fields(cls)
            if column.name != "columns"
        }
        return cls(**values, columns=Columns.of_arrays(arrays))  # type: ignore[arg-type]


def _codes(values: pl.Series) -> tuple[npt.NDArray[np.int32], Strings]:
    names = values.drop_nulls().unique().sort()
    codes = values.replace_strict(names, pl.int_range(len(names), eager=True), default=-1)
    return codes.cast(pl.Int32).to_numpy(), Strings.of(names.to_list())


def item_table(products: pl.DataFrame, attributes: pl.DataFrame | None = None) -> ItemTable:
    """Build the item table from product rows, one a product.

    Parameters
    ----------
    products
        Columns product_id, title, category, brand, price, inventory, valid_from
        (when the product was first known), as in ``silver/products``.
    attributes
        The shop's own columns: product_id, name, value, as ``latest_attributes`` finds them.

    Raises
    ------
    BadInput
        Two product ids share one 48-bit key.
    """
    frame = products.sort("product_id")
    ids = frame["product_id"].to_list()
    keys = product_keys(ids)
    if len(np.unique(keys)) != len(keys):
        raise BadInput("two product ids share one 48-bit key", hint="rename one of them in the catalogue")
    category = frame["category"].cast(pl.String)
    category_codes, category_names = _codes(category)
    department_codes, department_names = _codes(category.str.split(LEVEL).list.first())
    brand_codes, brand_names = _codes(frame["brand"].cast(pl.String))
    return ItemTable(
        ids=Strings.of(ids),
        titles=Strings.of(frame["title"].cast(pl.String).fill_null("").to_list()),
        keys=keys,
        category=category_codes,
        department=department_codes,
        brand=brand_codes,
        price=frame["price"].cast(pl.Float32).fill_null(float("nan")).to_numpy(),
        inventory=frame["inventory"].cast(pl.Float32).fill_null(float("nan")).to_numpy(),
        first_seen=frame["valid_from"].dt.timestamp("us").fill_null(0).to_numpy().astype(np.int64),
        category_names=category_names,
        department_names=department_names,
        brand_names=brand_names,
        columns=Columns() if attributes is None else own_columns(attributes, frame["product_id"]),
    )


def products_as_of(history: pl.LazyFrame, at_us: int) -> pl.DataFrame:
    """Rows of ``silver/products`` that held at ``at_us``, with ``valid_from`` of each one's first row.

    A product that was deleted by then is not among them.
    """
    at = pl.lit(at_us).cast(pl.Datetime("us", "UTC"))
    return (
        history.filter(pl.col("valid_from") <= at)
        .sort("product_id", "valid_from")
        .group_by("product_id", maintain_order=True)
        .agg(pl.exclude("valid_from").last(), pl.col("valid_from").first())
        .filter(pl.col("valid_to").is_null() | (pl.col("valid_to") > at))
        .collect()
    )
