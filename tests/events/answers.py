"""Decision records as the service writes them."""

from __future__ import annotations

import json
from datetime import datetime

from reco_assets.events.decided import VERSION, Decided, Exposure
from tests.builders import moment


def decided(
    name: str,
    user_id: str | int,
    *products: str,
    at: str | datetime,
    session_id: str | int | None = None,
    variant: str = "default",
    propensities: list[float] | None = None,
    exposures: list[Exposure] | None = None,
    degraded: bool = False,
    latency_ms: float = 3.5,
    policy: str = "",
    policy_changes: dict[str, bool | int | float] | None = None,
    **asked: object,
) -> Decided:
    """One answer, best product first; the scores are 1, 1/2, 1/3..., the propensities 1.

    ``asked`` are further fields of the request.
    """
    request = {"user_id": user_id, "context": {"page": "home"}, "num_recommendations": 10} | asked
    return Decided(
        recommendation_id=name,
        request=json.dumps(request | ({} if session_id is None else {"session_id": session_id})).encode(),
        user_state=b"state",
        session_state=None,
        reached=True,
        bundle="b1",
        product_epoch=7,
        now_us=int(moment(at).timestamp() * 1_000_000),
        seed=3,
        rung="full",
        variant=variant,
        products=list(products),
        scores=[1 / place for place in range(1, len(products) + 1)],
        sources=["popular"] * len(products),
        propensities=[1.0] * len(products) if propensities is None else propensities,
        exposures=exposures or [],
        degraded=degraded,
        latency_ms=latency_ms,
        policy=policy,
        policy_changes=policy_changes or {},
        version=VERSION,
    )
