"""Examples of answers for the OpenAPI document, made of the types that encode the real ones."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from reco_assets.recommender.types import Shortfall
from reco_serving.replies import (
    BundleHealth,
    Collected,
    Contribution,
    Explained,
    ExplainedProduct,
    Health,
    Listed,
    Product,
    Ranked,
    RankedProduct,
    Ready,
    Recommended,
    RecommendedBatch,
    Rejected,
    Related,
)

_MODEL: Final = "20260301-69a3be58"
RECOMMENDATION_ID: Final = "0006516b2c3d4e5f1a2b3c4d"

_POT: Final = Product(
    product_id="p7",
    score=0.913,
    position=0,
    source="also_viewed",
    reason="people who looked at p1 went on to it",
    title="Pot, glazed",
    category="garden > pots",
    price=24.9,
    rules=["margin"],
)
_SEEDS: Final = Product(
    product_id="p3",
    score=0.871,
    position=1,
    source="promotion",
    reason="part of spring",
    title="Seeds, mixed",
    category="garden > seeds",
    price=None,
    campaign="spring",
)


def _alone(score: float, source: str, reason: str) -> Product:
    """The pot as the only product of a list that nothing has moved."""
    return replace(_POT, score=score, source=source, reason=reason, rules=[])


RECOMMENDED: Final = Recommended(
    user_id="u42",
    recommendations=[_POT, _SEEDS],
    model_version=_MODEL,
    latency_ms=2.418,
    recommendation_id=RECOMMENDATION_ID,
    variant="default",
    degraded=False,
    rung="full",
    shortfall=Shortfall(3, 1500, {"filters": 1480, "bought": 7, "stock": 11}),
)
RECOMMENDED_BATCH: Final = RecommendedBatch([RECOMMENDED, replace(RECOMMENDED, user_id="u43")])
SIMILAR: Final = Related(
    [_alone(0.42, "also_viewed", "people who looked at p1 went on to it")],
    _MODEL,
    0.914,
    degraded=False,
    rung="full",
    shortfall=Shortfall(4, 1500, {"filters": 1490, "exclude": 2, "stock": 7}),
)
TRENDING: Final = Related(
    [_alone(1.7, "trending", "more wanted than usual right now")],
    _MODEL,
    0.533,
    degraded=False,
    rung="full",
    shortfall=Shortfall(4, 1500, {"filters": 1490, "stock": 9}),
)
COMPLETED: Final = Listed(
    user_id="u42",
    recommendations=[_alone(0.58, "bought_together", "bought together with p1")],
    model_version=_MODEL,
    latency_ms=1.102,
    degraded=False,
    rung="full",
    shortfall=Shortfall(4, 6, {"cart": 3, "stock": 2}),
)
AGAIN: Final = replace(
    COMPLETED,
    recommendations=[_alone(0.31, "repeat", "bought before")],
    shortfall=Shortfall(4, 1500, {"not bought": 1498, "stock": 1}),
)
VIEWED: Final = replace(
    COMPLETED,
    recommendations=[_alone(1772366400.123, "recently_viewed", "looked at lately")],
    shortfall=Shortfall(4, 1500, {"not viewed": 1497, "bought": 2}),
)
RANKED: Final = Ranked(
    user_id="u42",
    ranking=[
        RankedProduct("p1", 0, 0.913, "also_viewed"),
        RankedProduct("p3", 1, 0.402, "popular"),
        RankedProduct("p9", 2),
    ],
    unknown=["p9"],
    model_version=_MODEL,
    latency_ms=1.267,
    degraded=False,
    rung="full",
)
EXPLAINED: Final = Explained(
    recommendation_id=RECOMMENDATION_ID,
    user_id="u42",
    decided_at="2026-03-01T12:00:00.123456+00:00",
    model_version=_MODEL,
    policy="",
    variant="default",
    rung="full",
    degraded=False,
    latency_ms=2.418,
    candidates=400,
    replayed=True,
    differs=None,
    products=[
        ExplainedProduct(
            product_id="p7",
            position=0,
            score=0.913,
            source="also_viewed",
            reason="people who looked at p1 went on to it",
            propensity=1.0,
            campaign=None,
            rules=[],
            source_scores={"also_viewed": 0.8, "popular": 0.1},
            base=0.2,
            features=[Contribution("price", 24.9, 0.413), Contribution("avg_rating", None, -0.1)],
            blend={"also_viewed": 0.4},
        )
    ],
)
COLLECTED: Final = Collected(1, [Rejected(1, "e2", ["event_type: unknown 'clicked'"])])
HEALTH: Final = Health(
    status="ok",
    since="2026-03-01T04:00:00.000+00:00",
    bundle=BundleHealth(
        version=_MODEL,
        registry_version="12",
        created_at="2026-03-01T04:10:00.000+00:00",
        loaded_at="2026-03-01T04:12:00.000+00:00",
        products=1500,
        ranks_by="ranker",
        product_epoch=81,
    ),
    redis="ok",
    redis_breaker="closed",
    missing=[],
    policy="",
)
READY: Final = Ready(_MODEL)
