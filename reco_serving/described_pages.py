"""What the OpenAPI document says of what is looked at by people, balancers and Prometheus."""

from __future__ import annotations

from reco_serving.described_answers import HEALTH, READY
from reco_serving.described_bodies import Json, answered, otherwise, refused


def pages() -> dict[str, Json]:
    """/health, /ready, /experiments and /metrics."""
    metrics = 'reco_rung_total{rung="full"} 1207.0\n'
    return {
        "/health": _page(
            "health",
            "What is loaded, since when, and what is missing.",
            {"200": answered("The state of the worker.", HEALTH)},
        ),
        "/ready": _page(
            "ready",
            "Whether this worker can answer, for balancers.",
            {"200": answered("It has a bundle.", READY), **refused(503)},
        ),
        "/experiments": _page(
            "experiments",
            "The experiments and their results, as a page.",
            _text("HTML.", "text/html", "<!DOCTYPE html><title>Experiments</title>"),
        ),
        "/metrics": _page("metrics", "Prometheus metrics.", _text("Text format.", "text/plain", metrics)),
    }


def _page(name: str, summary: str, responses: dict[str, Json]) -> Json:
    return {
        "get": {
            "summary": summary,
            "operationId": name,
            "responses": {**responses, **otherwise("GET, HEAD")},
        }
    }


def _text(why: str, kind: str, example: str) -> dict[str, Json]:
    return {"200": {"description": why, "content": {kind: {"example": example}}}}
