"""The policy file: its fields, and how it is read. ``docs/policy.md`` lists the fields from here."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from reco_assets.errors import BadExpression, BadInput
from reco_assets.recommender.policy.parser import MOST_CHARACTERS
from reco_assets.recommender.types import Policy

#: Of the file's form; another one is refused.
SCHEMA_VERSION: Final = 1
#: A larger file is refused: it would be a list of products, which belongs into a column of the catalogue.
MOST_BYTES: Final = 1_000_000
MOST_BOOSTS: Final = 64

_Name = Annotated[str, Meta(min_length=1, max_length=64)]
_Id = Annotated[str, Meta(min_length=1, max_length=256)]
_Text = Annotated[str, Meta(min_length=1, max_length=MOST_CHARACTERS)]
_Share = Annotated[float, Meta(ge=0, le=1)]
_Hidden = Literal["hide", "show"]


class Restricted(Struct, frozen=True, forbid_unknown_fields=True):
    """Who may see a product: a column of it against the request's context."""

    column: Annotated[_Name, Meta(description="Column of the products.")]
    unknown: Annotated[
        _Hidden,
        Meta(description="What becomes of products with such a value where the request does not say."),
    ] = "hide"


class Boost(Struct, frozen=True, forbid_unknown_fields=True):
    """Products that stand higher or lower than their score alone would have them.

    An answer's scores are taken from 0, the lowest of its candidates, to 1, the highest.
    """

    name: Annotated[_Name, Meta(description="What the answer calls it.")]
    when: Annotated[_Text, Meta(description="Expression: the products that it is for.")]
    multiply: Annotated[float, Meta(ge=0, le=100, description="Factor of the score.")] = 1.0
    add: Annotated[float, Meta(ge=-10, le=10, description="Added to the score after that.")] = 0.0


class Promotion(Struct, frozen=True, forbid_unknown_fields=True):
    """Products that get places of an answer for a time, whatever their score; never the first place."""

    campaign: Annotated[_Name, Meta(description="What the answer calls it.")]
    share: Annotated[float, Meta(gt=0, le=0.5, description="Of an answer's places, at the most.")]
    when: Annotated[_Text, Meta(description="Expression: the products that it is for.")] | None = None
    products: Annotated[list[_Id], Meta(description="Further products that it is for.")] = []
    start: (
        Annotated[datetime, Meta(tz=True, description="From this moment on; always, if left out.")] | None
    ) = None
    end: Annotated[datetime, Meta(tz=True, description="Up to this moment.")] | None = None


class Document(Struct, frozen=True, forbid_unknown_fields=True):
    """A policy file. What it leaves out is as the bundle proposes it."""

    version: Annotated[Literal[1], Meta(description="Of the file's form: 1.")]
    filter: (
        Annotated[_Text, Meta(description="Expression: only products for which it is true are shown.")] | None
    ) = None
    hide_bought: (
        Annotated[bool, Meta(description="Leave out what the person bought, unless it is due again.")] | None
    ) = None
    rebuy_above: (
        Annotated[
            _Share,
            Meta(description="Probability of another purchase within a week from which on it is due."),
        ]
        | None
    ) = None
    in_stock_only: Annotated[bool, Meta(description="Leave out what is known to be sold out.")] | None = None
    max_per_category: (
        Annotated[_Share, Meta(description="Of an answer's places, for one category.")] | None
    ) = None
    max_per_brand: Annotated[_Share, Meta(description="Of an answer's places, for one brand.")] | None = None
    diversity: (
        Annotated[
            float,
            Meta(ge=0, lt=1, description="How much a product gives way for being like those above."),
        ]
        | None
    ) = None
    explore: Annotated[_Share, Meta(description="Of an answer's places, for new products.")] | None = None
    max_explored: (
        Annotated[int, Meta(ge=0, le=100, description="Places of one answer for new products.")] | None
    ) = None
    candidates: Annotated[int, Meta(ge=1, le=1000, description="How many products are ranked.")] | None = None
    max_promoted: Annotated[
        float, Meta(ge=0, le=0.5, description="Of an answer's places, for all promotions together.")
    ] = 0.3
    age: Annotated[Restricted | None, Meta(description="Least age, against `context.age`.")] = None
    region: Annotated[
        Restricted | None, Meta(description="Regions, `|` between, against `context.region`.")
    ] = None
    boosts: Annotated[list[Boost], Meta(max_length=MOST_BOOSTS)] = []
    promotions: Annotated[list[Promotion], Meta(max_length=64)] = []

    def over(self, proposed: Policy) -> Policy:
        """The bundle's ``proposed`` rules with what this file says."""
        said = {name: getattr(self, name) for name in Policy.__dataclass_fields__}
        return replace(proposed, **{name: value for name, value in said.items() if value is not None})


#: The file that says nothing: the bundle's own rules.
NOTHING: Final = Document(version=1)
_PLACE: Final = re.compile(r"^(?P<reason>.*) - at `\$\.?(?P<field>.*)`$", re.DOTALL)


def digest_of(text: bytes) -> str:
    """Sixteen hex digits by which a policy's text is found again."""
    return sha256(text).hexdigest()[:16]


def read_document(text: bytes, name: str) -> Document:
    """The policy that ``text`` (TOML) says; raises BadInput with the field, and ``name`` of the file.

    Expressions are read when it is known for which products; see ``rules``.
    """
    if len(text) > MOST_BYTES:
        raise BadInput(
            f"reading policy {name}: it is larger than {MOST_BYTES} bytes",
            hint="put what it lists into a column of the catalogue",
        )
    try:
        document = msgspec.toml.decode(text, type=Document)
    except msgspec.ValidationError as error:
        placed = _PLACE.match(str(error))
        where = f"{placed['field']}: {placed['reason']}" if placed else str(error)
        raise BadInput(f"reading policy {name}: {where}", hint="docs/policy.md lists every field") from error
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise BadInput(f"reading policy {name}: it is not TOML: {error}", hint="mend that line") from error
    _check(document, name)
    return document


def _check(document: Document, name: str) -> None:
    for kind, named in (
        ("boosts", [one.name for one in document.boosts]),
        ("promotions", [one.campaign for one in document.promotions]),
    ):
        twice = sorted({one for one in named if named.count(one) > 1})
        if twice:
            raise BadInput(
                f"reading policy {name}: {kind}: {twice[0]!r} is there twice", hint="give each its own name"
            )
    for one in document.promotions:
        if one.when is None and not one.products:
            raise BadInput(
                f"reading policy {name}: promotion {one.campaign!r} says no products",
                hint="give it `when` or `products`",
            )
        if one.start is not None and one.end is not None and one.end <= one.start:
            raise BadInput(
                f"reading policy {name}: promotion {one.campaign!r} ends before it starts",
                hint="correct start or end",
            )


def at_field(error: BadExpression, field: str, name: str) -> BadInput:
    """``error`` of the expression in ``field`` of policy ``name``."""
    return BadInput(
        f"reading policy {name}: {field}: {error.message}", hint=error.hint or "see docs/policy.md"
    )
