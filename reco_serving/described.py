"""What is asked by POST and answered with products: each with a description and an example, for OpenAPI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from reco_assets.recommender.asked import RecommendRequest
from reco_serving.contract import (
    BatchRequest,
    BoughtTogetherRequest,
    BuyAgainRequest,
    RankRequest,
    RecentlyViewedRequest,
    SimilarRequest,
    TrendingRequest,
)
from reco_serving.described_answers import (
    AGAIN,
    COMPLETED,
    RANKED,
    RECOMMENDED,
    RECOMMENDED_BATCH,
    SIMILAR,
    TRENDING,
    VIEWED,
)
from reco_serving.described_bodies import Json
from reco_serving.replies import Fault

_TOO_MANY: Final = Fault("num_recommendations", "Expected `int` <= 100")


@dataclass(frozen=True)
class Described:
    """One endpoint: an ``example`` of what it is asked, of its ``answer``, of what may be ``wrong``.

    ``unknown`` is what it says of something that is not there, with 404; None where nothing is looked up.
    """

    path: str
    asked: type[Struct]
    example: Json
    answer: Struct
    answers: str = "Products, best first."
    wrong: Fault = _TOO_MANY
    unknown: Fault | None = None

    @property
    def summary(self) -> str:
        """The first line of what the request's type says of itself."""
        return (self.asked.__doc__ or "").strip().splitlines()[0]

    @property
    def description(self) -> str:
        """What it says beside that, in one line."""
        return " ".join((self.asked.__doc__ or "").strip().splitlines()[1:]).strip()


DESCRIBED: Final = (
    Described(
        "/recommend",
        RecommendRequest,
        {
            "user_id": "u42",
            "session_id": "s7",
            "context": {"page": "home", "device": "mobile", "products": ["p1", "p9"]},
            "filters": "price < 80",
            "num_recommendations": 5,
        },
        RECOMMENDED,
    ),
    Described(
        "/recommend/batch",
        BatchRequest,
        {"requests": [{"user_id": "u42", "num_recommendations": 3}, {"user_id": "u43"}]},
        RECOMMENDED_BATCH,
        "One answer a request, in their order.",
        Fault("requests[1].category", "there is no category 'gardn'"),
    ),
    Described(
        "/similar",
        SimilarRequest,
        {
            "product_id": "p1",
            "num_recommendations": 5,
            "filters": "price < 80",
            "exclude": ["p9"],
            "context": {"age": 31, "region": "de"},
        },
        SIMILAR,
        unknown=Fault("product_id", "there is no product 'p1'"),
    ),
    Described(
        "/bought-together",
        BoughtTogetherRequest,
        {"products": ["p7"], "cart": ["p1", "p9"], "user_id": "u42", "num_recommendations": 5},
        COMPLETED,
        wrong=Fault("products", "is required where no cart is given"),
    ),
    Described(
        "/trending",
        TrendingRequest,
        {"num_recommendations": 5, "filters": "price < 80", "user_id": "u42"},
        TRENDING,
    ),
    Described(
        "/buy-again",
        BuyAgainRequest,
        {"user_id": "u42", "num_recommendations": 5},
        AGAIN,
        "Products, the one that is due most first; none where the user has bought nothing.",
    ),
    Described(
        "/recently-viewed",
        RecentlyViewedRequest,
        {"user_id": "u42", "session_id": "s7", "num_recommendations": 5},
        VIEWED,
        "Products, the newest first; none where the user has looked at nothing.",
    ),
    Described(
        "/rank",
        RankRequest,
        {"user_id": "u42", "products": ["p3", "p1", "p9"]},
        RANKED,
        "The list, best first, with what is not known at its end.",
        Fault("products", "Expected `array` of length >= 1"),
    ),
)
