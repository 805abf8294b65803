"""The OpenAPI document, made from the same types that decode and encode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from reco_assets.recommender.types import MOST
from reco_serving.calls import MOST_MS, Priority
from reco_serving.described import DESCRIBED, Described
from reco_serving.described_events import event_schema, events_path, snippet_path
from reco_serving.replies import Collected, Explained, Health, Ready, Refused
from reco_serving.secured import SCHEMES, Json, secured

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

_REFUSALS: Final = {
    400: "The request breaks its contract: the field and the reason.",
    404: "There is no such product.",
    429: "More is asked than can be answered in time: ask again after Retry-After seconds.",
    408: "The body did not come in time.",
    413: "The body is too long.",
    503: "No bundle has been promoted yet.",
}
#: Headers that every question may have.
_HEADERS: Final[Json] = [
    {
        "name": "X-Deadline-Ms",
        "in": "header",
        "required": False,
        "description": "Time for this request; the best answer that can be made in it is given.",
        "schema": {"type": "number", "exclusiveMinimum": 0, "maximum": MOST_MS},
    },
    {
        "name": "X-Priority",
        "in": "header",
        "required": False,
        "description": "Who is answered first and best when there is not enough for all.",
        "schema": {"type": "string", "enum": [one.name for one in Priority], "default": "normal"},
    },
]
_TYPES: Final = (
    Collected,
    *dict.fromkeys(kind for one in DESCRIBED for kind in (one.asked, one.answer)),
    Ready,
    Explained,
    Refused,
    Health,
)


def document(keys: bool = False) -> dict[str, Json]:
    """The OpenAPI 3.1 document of the service; ``keys`` says whether it asks for them."""
    schemas, components = msgspec.json.schema_components(_TYPES, ref_template="#/components/schemas/{name}")
    reference = dict(zip(_TYPES, schemas, strict=True))

    def content(kind: type[msgspec.Struct], example: Json = None) -> Json:
        body: dict[str, Json] = {"schema": reference[kind]}
        if example is not None:
            body["example"] = example
        return {"application/json": body}

    def post(one: Described) -> Json:
        responses: dict[str, Json] = {"200": {"description": one.answers, "content": content(one.answer)}}
        for status in one.refusals:
            responses[str(status)] = {"description": _REFUSALS[status], "content": content(Refused)}
        return {
            "post": {
                "summary": one.summary,
                "description": one.description,
                "operationId": one.path.strip("/").replace("/", "-"),
                "parameters": _HEADERS,
                "requestBody": {"required": True, "content": content(one.asked, one.example)},
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
        "paths": secured(
            {
                **{one.path: post(one) for one in DESCRIBED},
                "/events": events_path(content),
                "/reco.js": snippet_path(),
                "/health": {
                    "get": {
                        "summary": "What is loaded, since when, and what is missing.",
                        "operationId": "health",
                        "responses": {
                            "200": {"description": "The state of the worker.", "content": content(Health)}
                        },
                    }
                },
                "/ready": {
                    "get": {
                        "summary": "Whether this worker can answer, for balancers.",
                        "operationId": "ready",
                        "responses": {
                            "200": {"description": "It has a bundle.", "content": content(Ready)},
                            "503": {"description": _REFUSALS[503], "content": content(Refused)},
                        },
                    }
                },
                "/stream/{session_id}": {"get": _stream_path(content)},
                "/explain/{recommendation_id}": {
                    method: _explain_path(f"explain-{method}", content) for method in ("get", "post")
                },
                "/experiments": {
                    "get": {
                        "summary": "The experiments and their results, as a page.",
                        "operationId": "experiments",
                        "responses": {"200": {"description": "HTML.", "content": {"text/html": {}}}},
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
            content(Refused),
            keys,
        ),
        "components": {
            "schemas": {**components, "Event": event_schema()},
            "securitySchemes": SCHEMES,
        },
    }


def _stream_path(content: Callable[[type[msgspec.Struct]], Json]) -> Json:
    def parameter(name: str, where: str, why: str, schema: Json, example: Json) -> Json:
        return {
            "name": name,
            "in": where,
            "required": where == "path",
            "description": why,
            "schema": schema,
            "example": example,
        }

    text: Json = {"type": "string", "minLength": 1, "maxLength": 256}
    count: Json = {"type": "integer", "minimum": 1, "maximum": MOST, "default": 10}
    return {
        "summary": "A new list whenever something happens in a session, as Server-Sent Events.",
        "description": "The first list comes at once. Each is an event `recommendations` whose data is the "
        "answer of /recommend. A stream without news sends a comment every 15 seconds.",
        "operationId": "stream",
        "parameters": [
            parameter("session_id", "path", "The session, as its events have it.", text, "s7"),
            parameter("user_id", "query", "Whose products; the session's id by default.", text, "u42"),
            parameter("num_recommendations", "query", "How many products.", count, 5),
        ],
        "responses": {
            "200": {"description": "Events, until the client leaves.", "content": {"text/event-stream": {}}},
            **{
                str(status): {"description": _REFUSALS[status], "content": content(Refused)}
                for status in (400, 429, 503)
            },
        },
    }


def _explain_path(operation: str, content: Callable[[type[msgspec.Struct]], Json]) -> Json:
    return {
        "summary": "Why an answer was as it was.",
        "description": "It is made again from its record, which a worker remembers for its last decisions, "
        "the stream has until the lake has it, and the lake from then on.",
        "operationId": operation,
        "parameters": [
            {
                "name": "recommendation_id",
                "in": "path",
                "required": True,
                "description": "As the answer of /recommend has it.",
                "schema": {"type": "string", "minLength": 1},
                "example": "0006516b2c3d4e5f1a2b3c4d",
            }
        ],
        "responses": {
            "200": {"description": "Its products with their reasons.", "content": content(Explained)},
            "404": {
                "description": "Its record cannot be found, or its bundle or policy is not here any more.",
                "content": content(Refused),
            },
        },
    }
