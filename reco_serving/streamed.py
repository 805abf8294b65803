"""One list of an open stream: asked for by nobody, and else as any answer of /recommend."""

from __future__ import annotations

import time

from reco_assets.recommender.asked import RecommendRequest
from reco_serving.calls import Call, Priority
from reco_serving.endpoints import Parts
from reco_serving.recommending import recommended
from reco_serving.replies import Recommended
from reco_serving.streaming import NAME, ROUTE
from reco_serving.tracing import traced


async def listed(parts: Parts, asked: RecommendRequest, body: bytes) -> Recommended:
    """The list for ``asked``, whose JSON is ``body``; each is a trace of its own, for a stream has no end.

    Raises
    ------
    Refusal
        429: too much is asked at the moment; 503: there is no bundle.
    """
    begun = time.perf_counter()
    with traced(parts.tracer, ROUTE, (), begun, "GET") as trace:
        call = Call(begun, begun + parts.deadline_seconds, Priority.normal, NAME, trace)
        parts.gate.check(call)
        return (await recommended(parts, asked, body, call)).recommended
