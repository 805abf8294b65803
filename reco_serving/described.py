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
from reco_serving.replies import Listed, Ranked, Recommended, RecommendedBatch, Related
from reco_serving.secured import Json

_USUAL: Final = (400, 408, 413, 429, 503)


@dataclass(frozen=True)
class Described:
    """One endpoint; ``refusals`` are the statuses that it may answer beside 200."""

    path: str
    asked: type[Struct]
    answer: type[Struct]
    example: Json
    answers: str = "Products, best first."
    refusals: tuple[int, ...] = _USUAL

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
        Recommended,
        {
            "user_id": "u42",
            "session_id": "s7",
            "context": {"page": "home", "device": "mobile", "products": ["p1", "p9"]},
            "filters": "price < 80",
            "num_recommendations": 5,
        },
    ),
    Described(
        "/recommend/batch",
        BatchRequest,
        RecommendedBatch,
        {"requests": [{"user_id": "u42", "num_recommendations": 3}, {"user_id": "u43"}]},
        "One answer a request, in their order.",
    ),
    Described(
        "/similar",
        SimilarRequest,
        Related,
        {
            "product_id": "p1",
            "num_recommendations": 5,
            "filters": "price < 80",
            "exclude": ["p9"],
            "context": {"age": 31, "region": "de"},
        },
        refusals=(400, 404, 408, 413, 429, 503),
    ),
    Described(
        "/bought-together",
        BoughtTogetherRequest,
        Listed,
        {"products": ["p7"], "cart": ["p1", "p9"], "user_id": "u42", "num_recommendations": 5},
    ),
    Described(
        "/trending",
        TrendingRequest,
        Related,
        {"num_recommendations": 5, "filters": "price < 80", "user_id": "u42"},
    ),
    Described(
        "/buy-again",
        BuyAgainRequest,
        Listed,
        {"user_id": "u42", "num_recommendations": 5},
        "Products, the one that is due most first; none where the user has bought nothing.",
    ),
    Described(
        "/recently-viewed",
        RecentlyViewedRequest,
        Listed,
        {"user_id": "u42", "session_id": "s7", "num_recommendations": 5},
        "Products, the newest first; none where the user has looked at nothing.",
    ),
    Described(
        "/rank",
        RankRequest,
        Ranked,
        {"user_id": "u42", "products": ["p3", "p1", "p9"]},
        "The list, best first, with what is not known at its end.",
    ),
)
