"""The OpenAPI document, made from the same types that decode and encode."""

from __future__ import annotations

from typing import Final

import msgspec

from reco_assets.recommender.types import MOST
from reco_serving.calls import MOST_MS, Priority
from reco_serving.described import DESCRIBED, Described
from reco_serving.described_answers import EXPLAINED, RECOMMENDATION_ID, RECOMMENDED
from reco_serving.described_bodies import REFERENCE, Json, answered, content, otherwise, refused
from reco_serving.described_events import event_schema, events_path, snippet_path
from reco_serving.described_pages import pages
from reco_serving.http import encode
from reco_serving.replies import Collected, Explained, Fault, Health, Ready, Refused
from reco_serving.secured import SCHEMES, secured

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
    *dict.fromkeys(kind for one in DESCRIBED for kind in (one.asked, type(one.answer))),
    Ready,
    Explained,
    Refused,
    Health,
)


def document(keys: bool = False) -> dict[str, Json]:
    """The OpenAPI 3.1 document of the service; ``keys`` says whether it asks for them."""
    _, components = msgspec.json.schema_components(_TYPES, ref_template=REFERENCE)
    paths: dict[str, Json] = {
        **{one.path: {"post": _question(one)} for one in DESCRIBED},
        "/events": events_path(),
        "/reco.js": snippet_path(),
        **pages(),
        "/stream/{session_id}": {"get": _stream()},
        "/explain/{recommendation_id}": {method: _explain(f"explain-{method}") for method in ("get", "post")},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "reco",
            "version": "1",
            "description": "Product recommendations. Ids are texts; JSON integers are accepted and echoed.",
        },
        "paths": secured(paths, keys),
        "components": {
            "schemas": {**components, "Event": event_schema()},
            "securitySchemes": SCHEMES,
        },
    }


def _question(one: Described) -> Json:
    responses: dict[str, Json] = {
        "200": answered(one.answers, one.answer),
        **refused(400, example=one.wrong),
        **otherwise("POST"),
        **refused(408, 413, 429, 503),
    }
    if one.unknown is not None:
        responses |= refused(404, example=one.unknown)
    return {
        "summary": one.summary,
        "description": one.description,
        "operationId": one.path.strip("/").replace("/", "-"),
        "parameters": _HEADERS,
        "requestBody": {"required": True, "content": content(one.asked, one.example)},
        "responses": responses,
    }


def _parameter(name: str, where: str, why: str, schema: Json, example: Json) -> Json:
    return {
        "name": name,
        "in": where,
        "required": where == "path",
        "description": why,
        "schema": schema,
        "example": example,
    }


def _stream() -> Json:
    text: Json = {"type": "string", "minLength": 1, "maxLength": 256}
    count: Json = {"type": "integer", "minimum": 1, "maximum": MOST, "default": 10}
    told = f"id: {RECOMMENDATION_ID}\nevent: recommendations\ndata: {encode(RECOMMENDED).decode()}\n\n"
    return {
        "summary": "A new list whenever something happens in a session, as Server-Sent Events.",
        "description": "The first list comes at once. Each is an event `recommendations` whose data is the "
        "answer of /recommend. A stream without news sends a comment every 15 seconds.",
        "operationId": "stream",
        "parameters": [
            _parameter("session_id", "path", "The session, as its events have it.", text, "s7"),
            _parameter("user_id", "query", "Whose products; the session's id by default.", text, "u42"),
            _parameter("num_recommendations", "query", "How many products.", count, 5),
        ],
        "responses": {
            "200": {
                "description": "Events, until the client leaves.",
                "content": {"text/event-stream": {"example": told}},
            },
            **refused(400, 429, 503),
            **otherwise("GET"),
        },
    }


def _explain(operation: str) -> Json:
    text: Json = {"type": "string", "minLength": 1}
    return {
        "summary": "Why an answer was as it was.",
        "description": "It is made again from its record, which a worker remembers for its last decisions, "
        "the stream has until the lake has it, and the lake from then on.",
        "operationId": operation,
        "parameters": [
            _parameter(
                "recommendation_id", "path", "As the answer of /recommend has it.", text, RECOMMENDATION_ID
            )
        ],
        "responses": {
            "200": answered("Its products with their reasons.", EXPLAINED),
            **refused(
                404,
                why="Its record cannot be found, or its bundle or policy is not here any more.",
                example=Fault(
                    "recommendation_id",
                    "it was made by bundle 20260201-697eac00, which this worker does not serve any more",
                ),
            ),
            **otherwise("GET, HEAD, POST"),
        },
    }
