"""What a request for recommendations may say, and what it means in the rows of a bundle.

One definition for the service that answers and for training, which asks what was logged once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Struct

from reco_assets.errors import BadRequest
from reco_assets.recommender import types
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.policy.parser import MOST_CHARACTERS
from reco_assets.recommender.types import MOST, Request

Text = Annotated[str, Meta(min_length=1, max_length=256)]
#: Ids are texts everywhere inside; a JSON integer is accepted, and echoed as an integer.
Id = Text | int
Ids = Annotated[list[Id], Meta(max_length=1000)]
Count = Annotated[
    int, Meta(ge=1, le=MOST, description=f"How many products to answer with, at the most {MOST}.")
]


class Limiting(Struct, frozen=True, kw_only=True):
    """What of a visitor the rules ask for: all that a list needs which is not ranked for somebody."""

    age: Annotated[int, Meta(ge=0, le=150, description="The visitor's age, for the policy.")] | None = None
    region: (
        Annotated[str, Meta(max_length=64, description="Where the visitor is, for the policy.")] | None
    ) = None
    product_id: Annotated[Id, Meta(description="The product on the page; never shown.")] | None = None
    cart: Annotated[Ids, Meta(description="In the cart, the latest last; never shown.")] = []


class Context(Limiting, frozen=True, kw_only=True):
    """Where and when the answer will be shown, and what the visitor has in front of them."""

    page: Annotated[
        str,
        Meta(
            max_length=256,
            description="home, product, cart...: kept in the record of the decision, for the audit; no "
            "answer depends on it.",
        ),
    ] = ""
    device: Annotated[str, Meta(max_length=64, description="desktop, mobile, tablet or app.")] = "unknown"
    hour: Annotated[int, Meta(ge=0, le=23, description="The visitor's own hour; default: UTC.")] | None = None
    weekday: Annotated[int, Meta(ge=0, le=6, description="From Monday; default: UTC.")] | None = None
    products: Annotated[Ids, Meta(description="Products just looked at, the latest last.")] = []


class Asked(Struct, frozen=True, kw_only=True):
    """What every request for a list may say."""

    session_id: Id | None = None
    context: Limiting = Limiting()
    num_recommendations: Count = 10
    exclude: Annotated[Ids, Meta(description="Products that must not be in the answer.")] = []
    category: Annotated[Text, Meta(description="Only products of this category.")] | None = None
    filters: Annotated[
        str,
        Meta(
            max_length=MOST_CHARACTERS,
            description="Only products for which this expression over their columns is true, as "
            'category = "shoes" and price < 80.',
        ),
    ] = ""


class RecommendRequest(Asked, frozen=True, kw_only=True):
    """Recommend products to a user."""

    user_id: Id
    context: Context = Context()


def resolved(asked: Asked, bundle: Bundle, seed: int) -> Request:
    """The request in item rows and category codes; products that the bundle lacks are left out.

    Raises
    ------
    BadRequest
        The category does not exist.
    """
    context = _whole(asked.context)
    return Request(
        n=asked.num_recommendations,
        context=types.Context(
            context.device, context.page, context.hour, context.weekday, context.age, context.region
        ),
        session_items=rows_of(_in_front(context), bundle),
        exclude=rows_of([*asked.exclude, *_page(context)], bundle),
        category=category_code(asked.category, bundle),
        seed=seed,
        cart=rows_of(context.cart, bundle),
        filters=asked.filters.strip(),
    )


def category_code(name: str | None, bundle: Bundle) -> int | None:
    """Code of category ``name``; raises BadRequest where the shop has none of that name."""
    if name is None:
        return None
    code = bundle.items.category_codes.get(name)
    if code is None:
        raise BadRequest("category", f"there is no category {name!r}")
    return code


def _whole(context: Limiting) -> Context:
    """``context`` with what it may not say left open."""
    if isinstance(context, Context):
        return context
    return Context(age=context.age, region=context.region, product_id=context.product_id, cart=context.cart)


def _in_front(context: Context) -> list[Id]:
    """Products that the visitor has just had to do with, the most telling last."""
    return [*context.cart, *context.products, *_page(context)]


def _page(context: Context) -> list[Id]:
    return [context.product_id] if context.product_id is not None else []


def rows_of(ids: Sequence[Id], bundle: Bundle) -> tuple[int, ...]:
    """Item rows of ``ids``, without those that the bundle lacks."""
    if not ids:
        return ()
    found = (bundle.items.row(str(product_id)) for product_id in ids)
    return tuple(row for row in found if row >= 0)
