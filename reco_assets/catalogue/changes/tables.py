"""Which table of a shop's database is which entity, and which of its columns is which of ours."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

import polars as pl

from reco_assets.catalogue.ingest import PRODUCTS, USERS
from reco_assets.errors import BadInput
from reco_assets.events.observations import PRODUCT_ATTRIBUTES, USER_ATTRIBUTES

_TIME: Final = pl.Datetime("us", "UTC")

#: Name of the file, beside the files of changes, that says what the tables are.
MAPPING_FILE: Final = "changes.json"

#: Attributes of an order line.
ORDER_ATTRIBUTES: Final[dict[str, pl.DataType]] = {
    "order_id": pl.String(),
    "line": pl.String(),
    "user_id": pl.String(),
    "product_id": pl.String(),
    "quantity": pl.Int64(),
    "price": pl.Float64(),
    "ordered_at": _TIME,
    "status": pl.String(),
}

#: Columns of a line's number that name the line in its whole table, not only in its order.
_ROW_IDS: Final = ("lineid", "orderlineid", "orderitemid", "id")


@dataclass(frozen=True)
class Entity:
    """One of the things that a database may tell of.

    Attributes
    ----------
    attributes
        Our columns and their types; all but the ``ids``, which are texts, may be null.
    names
        Other names that shops have for a column, the likeliest first.
    tables
        Names that its table may have.
    """

    name: str
    ids: tuple[str, ...]
    attributes: Mapping[str, pl.DataType]
    names: Mapping[str, tuple[str, ...]]
    tables: frozenset[str]


ENTITIES: Final[Mapping[str, Entity]] = {
    one.name: one
    for one in (
        Entity(
            "products",
            ("product_id",),
            PRODUCT_ATTRIBUTES,
            {
                **PRODUCTS.names,
                # order lines point to the row's id, also where it has an article number besides
                "product_id": ("id", "item_id", "sku"),
                "category": (*PRODUCTS.names["category"], "category_id"),
                "inventory": (*PRODUCTS.names["inventory"], "stock_quantity", "in_stock", "available"),
                "brand": ("brand_name", "manufacturer"),
                "price": ("unit_price", "list_price", "sale_price"),
            },
            frozenset(("product", "products", "item", "items", "sku", "skus", "article", "articles")),
        ),
        Entity(
            "users",
            ("user_id",),
            USER_ATTRIBUTES,
            {**USERS.names, "segment": ("customer_segment", "customer_group", "tier")},
            frozenset(("user", "users", "customer", "customers", "account", "accounts", "shoppers")),
        ),
        Entity(
            "orders",
            (),
            ORDER_ATTRIBUTES,
            {
                "order_id": ("order_no", "order_number", "invoice_no", "invoice_id"),
                "line": ("line_id", "order_line_id", "order_item_id", "line_number", "line_no", "id"),
                "user_id": ("customer_id", "buyer_id", "account_id"),
                "product_id": ("item_id", "sku", "article_id"),
                "quantity": ("qty", "units", "count"),
                "price": ("unit_price", "item_price"),
                "ordered_at": ("order_date", "placed_at", "purchased_at", "created_at", "inserted_at"),
                "status": ("order_status", "state"),
            },
            frozenset(("order", "orders", "orderline", "orderlines", "orderitem", "orderitems", "purchases")),
        ),
    )
}


@dataclass(frozen=True)
class Mapped:
    """What one table is.

    Attributes
    ----------
    columns
        Our column to the shop's.
    key
        Our columns that together name a row.
    """

    entity: Entity
    columns: Mapping[str, str]
    key: tuple[str, ...]


@dataclass(frozen=True)
class Tables:
    """The tables that were named in ``changes.json``; what it leaves open is guessed by names.

    ``{"tables": {"public.products": {"entity": "products", "columns": {"price": "amount"}, "key": [...]}}}``;
    an entity of null leaves the table out. ``text`` is that JSON: it is hashable and can be kept.
    """

    text: str = "{}"
    _given: Mapping[str, Mapping[str, object]] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_given", _checked(self.text))

    def of(self, table: str, columns: Iterable[str]) -> Mapped | None:
        """What ``table`` is, as a row with ``columns`` shows it; None where it is of no interest."""
        return _mapped(self, table, frozenset(columns))

    def given(self, table: str) -> Mapping[str, object] | None:
        """What was said of ``table``, under its full name or without the schema."""
        return self._given.get(table, self._given.get(table.rpartition(".")[2]))


@lru_cache(maxsize=4096)
def _mapped(tables: Tables, table: str, present: frozenset[str]) -> Mapped | None:
    given = tables.given(table)
    if given is None:
        bare = _plain(table.rpartition(".")[2])
        entity = next((one for one in ENTITIES.values() if bare in one.tables), None)
    else:
        entity = ENTITIES.get(str(given.get("entity")))
    if entity is None:
        return None
    told = given.get("columns") if given else None
    columns = {str(ours): str(theirs) for ours, theirs in told.items()} if isinstance(told, dict) else {}
    by_name = {_plain(name): name for name in sorted(present)}
    for ours in (*entity.ids, *entity.attributes):
        options = [_plain(name) for name in (ours, *entity.names.get(ours, ()))]
        taken = set(columns.values())
        found = [by_name[name] for name in options if name in by_name and by_name[name] not in taken]
        if ours not in columns and found:
            columns[ours] = found[0]
    if entity.name == "orders":
        columns = _order_columns(columns)
    key = given.get("key") if given else None
    named = tuple(str(one) for one in key) if isinstance(key, list) else _key(entity, columns)
    return Mapped(entity, columns, named)


def _order_columns(columns: dict[str, str]) -> dict[str, str]:
    """A table whose only number is ``id`` has one product an order: that is the order's number."""
    if "order_id" not in columns and "line" in columns:
        return {"order_id": columns["line"]} | {k: v for k, v in columns.items() if k != "line"}
    return columns


def _key(entity: Entity, columns: Mapping[str, str]) -> tuple[str, ...]:
    if entity.name != "orders":
        return entity.ids
    if "line" in columns:
        return ("line",) if _plain(columns["line"]) in _ROW_IDS else ("order_id", "line")
    return ("order_id",) if _plain(columns.get("order_id", "")) == "id" else ("order_id", "product_id")


def tables_beside(path: Path) -> Tables:
    """What ``changes.json`` in the folder of ``path``, or in one of the two above it, says."""
    for folder in list(path.resolve().parents)[:3]:
        file = folder / MAPPING_FILE
        if file.is_file():
            try:
                return Tables(file.read_text(encoding="utf-8"))
            except BadInput as error:
                raise BadInput(f"reading {file}: {error.message}", hint=error.hint) from error
    return Tables()


def _checked(text: str) -> Mapping[str, Mapping[str, object]]:
    hint = '{"tables": {"public.products": {"entity": "products", "columns": {"price": "amount"}}}}'
    try:
        found = json.loads(text).get("tables", {})
        entities = {name: one.get("entity") for name, one in found.items()}
        columns = {name: list(one.get("columns", {}).items()) for name, one in found.items()}
    except (ValueError, AttributeError) as error:
        raise BadInput(f"the mapping of tables is not as it should be: {error}", hint=hint) from error
    for name, entity in entities.items():
        if entity is not None and entity not in ENTITIES:
            raise BadInput(
                f"table {name}: there is no entity {entity}", hint=f"the entities are {', '.join(ENTITIES)}"
            )
        known = (*ENTITIES[entity].ids, *ENTITIES[entity].attributes) if entity is not None else ()
        keys = found[name].get("key", [])
        wrong = [one for one, _ in columns[name] if one not in known] + [k for k in keys if k not in known]
        if wrong:
            raise BadInput(
                f"table {name}: {entity} have no {', '.join(wrong)}", hint=f"they have {', '.join(known)}"
            )
    return dict(found)


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
