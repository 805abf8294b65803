"""What a request may say: one definition for decoding, for the client and for OpenAPI."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, Struct

from reco_assets.errors import BadRequest
from reco_assets.recommender.policy.parser import MOST_CHARACTERS
from reco_assets.recommender.types import MOST

Text = Annotated[str, Meta(min_length=1, max_length=256)]
#: Ids are texts everywhere inside; a JSON integer is accepted, and echoed as an integer.
Id = Text | int
Ids = Annotated[list[Id], Meta(max_length=1000)]
Count = Annotated[
    int, Meta(ge=1, le=MOST, description=f"How many products to answer with, at the most {MOST}.")
]


class Context(Struct, frozen=True):
    """Where and when the answer will be shown, and what the visitor has in front of them."""

    page: Annotated[str, Meta(max_length=256, description="home, product, cart... for the record.")] = ""
    device: Annotated[str, Meta(max_length=64, description="desktop, mobile, tablet or app.")] = "unknown"
    hour: Annotated[int, Meta(ge=0, le=23, description="The visitor's own hour; default: UTC.")] | None = None
    weekday: Annotated[int, Meta(ge=0, le=6, description="From Monday; default: UTC.")] | None = None
    age: Annotated[int, Meta(ge=0, le=150, description="The visitor's age, for the policy.")] | None = None
    region: (
        Annotated[str, Meta(max_length=64, description="Where the visitor is, for the policy.")] | None
    ) = None
    product_id: Annotated[Id, Meta(description="The product on the page; never shown.")] | None = None
    products: Annotated[Ids, Meta(description="Products just looked at, the latest last.")] = []
    cart: Annotated[Ids, Meta(description="In the cart, the latest last; never shown.")] = []


class Asked(Struct, frozen=True, kw_only=True):
    """What every request for a list for somebody may say."""

    session_id: Id | None = None
    context: Context = Context()
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


class BatchRequest(Struct, frozen=True):
    """Recommend products to several users at once, in the order of the requests."""

    requests: Annotated[list[RecommendRequest], Meta(min_length=1, max_length=100)]


class AskedByAnybody(Asked, frozen=True, kw_only=True):
    """The same for a list that needs nobody: with ``user_id``, what that user has bought is left out."""

    user_id: Id | None = None


class BoughtTogetherRequest(AskedByAnybody, frozen=True, kw_only=True):
    """Products that complete a cart.

    At least one product is to be named, in ``products``, ``cart`` or the context's cart. ``user_id`` is for
    the rules: what that user has bought is left out.
    """

    products: Annotated[Ids, Meta(description="Products to complete, the latest last.")] = []
    cart: Annotated[Ids, Meta(description="In the cart, the latest last; never shown.")] = []


class BuyAgainRequest(Asked, frozen=True, kw_only=True):
    """Products that a user has bought, those that are due first."""

    user_id: Id


class RecentlyViewedRequest(Asked, frozen=True, kw_only=True):
    """Products that a user has just looked at, the newest first."""

    user_id: Id


class RankRequest(Struct, frozen=True):
    """Bring a list of products, as a search found them, into the order that fits a user."""

    user_id: Id
    products: Annotated[Ids, Meta(min_length=1, description="The list, best first.")]
    session_id: Id | None = None
    context: Context = Context()


class SimilarRequest(AskedByAnybody, frozen=True):
    """Products that go with one product.

    ``user_id`` is for the rules: what that user has bought is left out.
    """

    product_id: Id


class TrendingRequest(AskedByAnybody, frozen=True):
    """Products that are more wanted than usual.

    ``user_id`` is for the rules: what that user has bought is left out.
    """

    category: Annotated[Text, Meta(description="Only products of this category.")] | None = None


_REQUESTS: Final = (
    RecommendRequest,
    BatchRequest,
    SimilarRequest,
    BoughtTogetherRequest,
    TrendingRequest,
    BuyAgainRequest,
    RecentlyViewedRequest,
    RankRequest,
)
_Request = TypeVar("_Request", bound=Struct)

DECODERS: Final[Mapping[type[Struct], msgspec.json.Decoder[Struct]]] = {
    kind: msgspec.json.Decoder(kind) for kind in _REQUESTS
}
_PLACE: Final = re.compile(r"^(?P<reason>.*) - at `\$\.?(?P<field>.*)`$", re.DOTALL)
_MISSING: Final = re.compile(
    r"^Object missing required field `(?P<field>.*?)`(?: - at `\$\.?(?P<inside>.*)`)?$"
)


def read(kind: type[_Request], body: bytes) -> _Request:
    """Decode ``body``; raises BadRequest with the field and the reason."""
    try:
        found = DECODERS[kind].decode(body)
    except msgspec.ValidationError as error:
        raise _explained(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = "it is empty" if not body.strip() else str(error) or "it is nested too deeply"
        raise BadRequest("body", f"cannot be read as JSON: {reason}") from error
    assert isinstance(found, kind)
    return found


def _explained(message: str) -> BadRequest:
    missing = _MISSING.match(message)
    if missing:
        return BadRequest(".".join(filter(None, (missing["inside"], missing["field"]))), "is required")
    placed = _PLACE.match(message)
    if placed:
        return BadRequest(placed["field"] or "body", placed["reason"])
    return BadRequest("body", message)
