"""Which column of a stranger's file is which field of an event: given, or guessed and shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from reco_assets.errors import BadInput
from reco_assets.events.adapters import DESCRIPTIONS
from reco_assets.events.contract import EARLIEST, EVENT_SCHEMA, EVENT_TYPES
from reco_assets.events.values import as_integer, as_number, as_time

#: Every name that a mapping may have on its left side.
TARGETS: Final = (*EVENT_SCHEMA, *DESCRIPTIONS)

#: Stands for every value of the type column, or for a file that has none.
ANY: Final = "*"

_NAMES: Final[dict[str, str]] = {
    "event_id": "eventid id uuid eventuuid messageid hitid",
    "user_id": "userid user uid customerid customer custid visitorid visitor memberid clientid buyerid "
    "accountid personid shopperid cookieid anonymousid",
    "session_id": "sessionid session usersession visitid sid basketid orderid invoiceno invoice invoiceid "
    "transactionid",
    "event_type": "eventtype event type action eventname behavior behaviour behaviortype behaviourtype "
    "activity interaction interactiontype",
    "product_id": "productid product itemid item pid sku articleid article asin stockcode goodsid brandid "
    "movieid contentid parentasin",
    "timestamp": "timestamp time ts eventtime eventtimestamp datetime date createdat occurredat eventdate "
    "unixtime visitdatetime invoicedate servertime unixreviewtime orderdate",
    "price": "price unitprice itemprice amount saleprice",
    "quantity": "quantity qty count units",
    "duration_ms": "durationms dwellms dwelltimems timeonpagems",
    "query": "query searchquery searchterm keyword keywords q",
    "rating": "rating stars score overall",
    "recommendation_id": "recommendationid recoid recid",
    "position": "position rank slot",
    "source": "source channel platform medium",
    "title": "title productname itemname description producttitle name",
    "category": "category categorycode categoryid categoryname categorypath department",
    "brand": "brand brandname manufacturer",
    "list_price": "listprice catalogueprice catalogprice",
    "country": "country countrycode",
    "segment": "segment usersegment customersegment",
}

_TYPES: Final[dict[str, str]] = {
    "click": "click clicks view views viewed pv pageview productview viewitem detail detailview itemview "
    "visit productviewed productclicked clickout",
    "add_to_cart": "addtocart cart carts addcart atc basket addtobasket productadded addtobag",
    "remove_from_cart": "removefromcart removecart removefrombasket productremoved",
    "purchase": "purchase purchases buy bought order ordered transaction checkout sale ordercompleted paid",
    "favorite": "favorite favourite fav like wishlist addtowishlist addtofavorites collect save",
    "rate": "rate rating review rated",
    "search": "search query searched sitesearch",
    "impression": "impression impressions show shown exposure display",
}


_REQUIRED: Final = ("user_id", "event_type", "product_id", "timestamp")


@dataclass(frozen=True)
class ColumnMapping:
    """What the columns of a file mean.

    Attributes
    ----------
    columns
        Field (one of ``TARGETS``) to column of the file.
    event_types
        Value of the type column to event type; ``*`` takes every other value, or the whole file
        where it has no such column.
    """

    columns: Mapping[str, str]
    event_types: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        wrong = sorted(set(self.columns) - set(TARGETS))
        if wrong:
            raise BadInput(
                f"reading the column mapping: no field is called {', '.join(wrong)}",
                hint=f"the fields are {', '.join(TARGETS)}",
            )
        odd = sorted(set(self.event_types.values()) - set(EVENT_TYPES))
        if odd:
            raise BadInput(
                f"reading the event types: there is no type {', '.join(odd)}",
                hint=f"the types are {', '.join(EVENT_TYPES)}",
            )

    def check_columns(self, header: Sequence[str], what: str) -> None:
        """Raise BadInput where ``what``, a file with ``header``, lacks a column of this mapping."""
        absent = [f"{name}={column}" for name, column in self.columns.items() if column not in header]
        if absent:
            raise BadInput(
                f"reading {what}: the header has no column for {', '.join(absent)}",
                hint=f"its columns are {', '.join(header)}",
            )

    def check(self, header: Sequence[str], what: str) -> None:
        """Raise BadInput where ``what``, a file with ``header``, cannot be read with this mapping."""
        self.check_columns(header, what)
        missing = [name for name in _REQUIRED if name not in self.columns]
        if ANY in self.event_types and "event_type" in missing:
            missing.remove("event_type")
        if set(self.event_types.values()) == {"search"} and "product_id" in missing:
            missing.remove("product_id")
        if missing:
            raise BadInput(
                f"reading {what}: no column is known for {', '.join(missing)}",
                hint="name them, e.g. --map user_id=uid,product_id=sku,timestamp=ts,event_type=action; "
                f"a file of one kind of event takes --event-types '*=purchase'; its columns "
                f"are {', '.join(header)}",
            )


@dataclass(frozen=True)
class Guess:
    """A guessed mapping and, for each field, what it rests on: ``(field, column, why, an example)``."""

    mapping: ColumnMapping
    grounds: tuple[tuple[str, str, str, str], ...]


def guess(sample: pl.DataFrame, given: ColumnMapping) -> Guess:
    """Guess what ``given`` leaves open, from the names and the values of ``sample`` (text columns)."""
    columns = dict(given.columns)
    why = dict.fromkeys(columns, "given")
    for name in TARGETS:
        if name not in columns and (found := _by_name(name, sample, set(columns.values()))):
            columns[name], why[name] = found, "by its name"
    for name, looks_right in _SHAPES.items():
        free = [column for column in sample.columns if column not in columns.values()]
        fitting = [column for column in free if looks_right(sample[column].drop_nulls())]
        if name in _REQUIRED and name not in columns and len(fitting) == 1:
            columns[name], why[name] = fitting[0], "by its values"
    types = dict(given.event_types)
    if "event_type" in columns:
        for value in sample[columns["event_type"]].drop_nulls().unique(maintain_order=True).head(100):
            if value not in types and (kind := _type_of(value)):
                types[value] = kind
    elif ANY not in types and "rating" in columns:
        types[ANY] = "rate"
    grounds = [
        (name, columns[name], why[name], _example(sample[columns[name]]))
        for name in TARGETS
        if name in columns
    ]
    if "event_type" not in columns and ANY in types:
        grounds.append(("event_type", "-", "every row", types[ANY]))
    return Guess(ColumnMapping(columns, types), tuple(grounds))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _by_name(name: str, sample: pl.DataFrame, taken: set[str]) -> str | None:
    wanted = [_plain(name), *_NAMES[name].split()]
    candidates = [column for column in sample.columns if column not in taken and _plain(column) in wanted]
    looks_right = _SHAPES.get(name)
    if looks_right is not None:
        candidates = [c for c in candidates if looks_right(sample[c].drop_nulls())]
    return min(candidates, key=lambda column: wanted.index(_plain(column)), default=None)


def _type_of(value: str) -> str | None:
    plain = _plain(value)
    return next(
        (kind for kind, names in _TYPES.items() if plain == _plain(kind) or plain in names.split()), None
    )


def _share(mask: pl.Series) -> float:
    return float(mask.sum()) / len(mask) if len(mask) else 0.0


def _is_time(values: pl.Series) -> bool:
    return _share((as_time(values) >= EARLIEST).fill_null(False)) > 0.9


def _is_number(values: pl.Series) -> bool:
    return not len(values) or _share(as_number(values).is_not_null()) > 0.9


def _is_whole(values: pl.Series) -> bool:
    return not len(values) or _share(as_integer(values).is_not_null()) > 0.9


def _is_type(values: pl.Series) -> bool:
    kinds = values.unique().to_list()
    return 0 < len(kinds) <= 50 and sum(_type_of(kind) is not None for kind in kinds) * 2 >= len(kinds)


_SHAPES: Final[dict[str, Callable[[pl.Series], bool]]] = {
    "event_type": _is_type,
    "timestamp": _is_time,
    "price": _is_number,
    "list_price": _is_number,
    "quantity": _is_whole,
    "duration_ms": _is_whole,
    "rating": _is_number,
    "position": _is_whole,
}


def _example(values: pl.Series) -> str:
    present = values.drop_nulls()
    return str(present[0])[:40] if len(present) else ""
