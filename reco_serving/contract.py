"""What a request may say: one definition for decoding, for the client and for OpenAPI."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from reco_assets.errors import BadRequest
from reco_assets.recommender.asked import Asked, Context, Id, Ids, RecommendRequest, Text


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

    products: Annotated[Ids, Meta(description="Products to complete, the latest last.")] = field(
        default_factory=list
    )
    cart: Annotated[Ids, Meta(description="In the cart, the latest last; never shown.")] = field(
        default_factory=list
    )


class BuyAgainRequest(Asked, frozen=True, kw_only=True):
    """Products that a user has bought, those that are due first."""

    user_id: Id


class RecentlyViewedRequest(Asked, frozen=True, kw_only=True):
    """Products that a user has just looked at, the newest first."""

    user_id: Id
    context: Context = Context()


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
