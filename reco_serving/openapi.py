"""The OpenAPI document, made from the same types that decode and encode."""

from __future__ import annotations

from typing import Final

import msgspec

from reco_serving.contract import (
    Recommended,
    RecommendRequest,
    Refused,
    Related,
    SimilarRequest,
    TrendingRequest,
)
from reco_serving.health import Health

#: The page on /: BentoML's own Swagger UI without the tracker that its page loads from elsewhere.
PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="UTF-8">
  <title>reco</title>
  <link rel="stylesheet" href="./static_content/swagger-ui.css">
  <link rel="stylesheet" href="./static_content/index.css">
</head>
<body>
  <div id="swagger-ui"></div>
  <script src="./static_content/swagger-ui-bundle.js" charset="UTF-8"></script>
  <script src="./static_content/swagger-ui-standalone-preset.js" charset="UTF-8"></script>
  <script src="./static_content/swagger-initializer.js" charset="UTF-8"></script>
</body>
</html>
"""

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

_EXAMPLES: Final[dict[str, Json]] = {
    "/recommend": {
        "user_id": "u42",
        "session_id": "s7",
        "context": {"page": "home", "device": "mobile", "products": ["p1", "p9"]},
        "num_recommendations": 5,
    },
    "/similar": {"product_id": "p1", "num_recommendations": 5},
    "/trending": {"num_recommendations": 5},
}
_REFUSALS: Final = {
    "400": "The request breaks its contract: the field and the reason.",
    "404": "There is no such product.",
    "503": "No bundle has been promoted yet.",
}
_TYPES: Final = (RecommendRequest, SimilarRequest, TrendingRequest, Recommended, Related, Refused, Health)


def document() -> dict[str, Json]:
    """The OpenAPI 3.1 document of the service."""
    schemas, components = msgspec.json.schema_components(_TYPES, ref_template="#/components/schemas/{name}")
    reference = dict(zip(_TYPES, schemas, strict=True))

    def content(kind: type[msgspec.Struct], example: Json = None) -> Json:
        body: dict[str, Json] = {"schema": reference[kind]}
        if example is not None:
            body["example"] = example
        return {"application/json": body}

    def post(path: str, asked: type[msgspec.Struct], answer: type[msgspec.Struct], refusals: str) -> Json:
        responses: dict[str, Json] = {
            "200": {"description": "Products, best first.", "content": content(answer)}
        }
        for status in refusals.split():
            responses[status] = {"description": _REFUSALS[status], "content": content(Refused)}
        return {
            "post": {
                "summary": (asked.__doc__ or "").strip().splitlines()[0],
                "operationId": path.strip("/"),
                "requestBody": {"required": True, "content": content(asked, _EXAMPLES[path])},
                "responses": responses,
            }
        }

    return {
        "openapi": "3.1.0",
        "info": {
            "title": "reco",
            "version": "1",
            "description": "Product recommendations. Ids are texts; JSON integers are accepted and echoed.",
        },
        "paths": {
            "/recommend": post("/recommend", RecommendRequest, Recommended, "400 503"),
            "/similar": post("/similar", SimilarRequest, Related, "400 404 503"),
            "/trending": post("/trending", TrendingRequest, Related, "400 503"),
            "/health": {
                "get": {
                    "summary": "What is loaded, since when, and what is missing.",
                    "operationId": "health",
                    "responses": {
                        "200": {"description": "The state of the worker.", "content": content(Health)}
                    },
                }
            },
            "/metrics": {
                "get": {
                    "summary": "Prometheus metrics.",
                    "operationId": "metrics",
                    "responses": {"200": {"description": "Text format.", "content": {"text/plain": {}}}},
                }
            },
        },
        "components": {"schemas": components},
    }
