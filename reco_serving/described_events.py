"""What the OpenAPI document says of collecting: /events, the snippet that tells it, and what an event is."""

from __future__ import annotations

from typing import Final

import polars as pl

from reco_assets.events.contract import EVENT_TYPES, FIELDS, Field
from reco_serving.described_answers import COLLECTED
from reco_serving.described_bodies import RETRY_AFTER, Json, answered, otherwise, refused
from reco_serving.events import MOST_EVENTS
from reco_serving.replies import Fault

_EVENT: Final[Json] = {
    "event_id": "5b0e8a3e-1f0c-4f43-9d54-0d3c1a8f2b11",
    "user_id": "u42",
    "session_id": "s7",
    "event_type": "click",
    "product_id": "p1",
    "timestamp": "2026-03-01T12:00:00.123Z",
    "source": "web",
}
#: What a shop puts into its pages.
_SNIPPET_HELP: Final = (
    "data-reco-user of the script says who is logged in (else a visitor id is made up), data-reco-product"
    " which product the page shows. A click inside an element with data-reco-product is told, as"
    " data-reco-event says or as a click, with data-reco-recommendation, -position and -price where they"
    " are there. Everything else: reco.track(event type, fields). Pages of another origin need"
    " RECO_CORS_ORIGINS; where keys are asked for, data-reco-key holds one with the scope collect alone."
)
_SNIPPET: Final = """\
<script src="https://reco.example/reco.js" data-reco-user="u42" data-reco-product="p7"></script>
<a href="/p1" data-reco-product="p1" data-reco-recommendation="..." data-reco-position="0">Pots</a>
<script>reco.track("purchase", {product_id: "p7", price: 9.9, quantity: 1})</script>"""
_WIRE: Final[dict[type[pl.DataType], Json]] = {
    pl.String: {"type": ["string", "integer"]},
    pl.Float64: {"type": "number"},
    pl.Int64: {"type": "integer"},
    pl.Datetime: {
        "type": ["string", "number"],
        "description": "ISO 8601, UTC where it has no zone; or seconds, ms, us or ns since 1970.",
    },
}


def events_path() -> Json:
    """What is said of /events."""
    event: Json = {"$ref": "#/components/schemas/Event"}
    several: Json = {"type": "array", "items": event, "minItems": 1, "maxItems": MOST_EVENTS}
    wrapped: Json = {"type": "object", "required": ["events"], "properties": {"events": several}}
    body: Json = {
        "schema": {"oneOf": [event, several, wrapped]},
        "examples": {
            "one": {"summary": "One event", "value": _EVENT},
            "several": {"summary": "Several events", "value": {"events": [_EVENT]}},
        },
    }
    too_many = Fault("events", f"must hold from 1 to {MOST_EVENTS} events, got {2 * MOST_EVENTS}")
    full = Fault("events", "keeping 12 events: the stream is down, and the spool is full")
    responses: dict[str, Json] = {
        "202": answered("All events are durable; the bad ones are named.", COLLECTED),
        **refused(400, why="The body as a whole cannot be taken.", example=too_many),
        **otherwise("POST, OPTIONS"),
        **refused(408, 413),
        **refused(
            503,
            why="Neither the stream nor the disk takes events: send them again after Retry-After seconds.",
            example=full,
            headers=RETRY_AFTER,
        ),
    }
    return {
        "post": {
            "summary": "Tell what visitors do.",
            "description": "The content type does not matter. An event that is sent twice counts once.",
            "operationId": "events",
            "requestBody": {"required": True, "content": {"application/json": body, "text/plain": body}},
            "responses": responses,
        }
    }


def snippet_path() -> Json:
    """The script that shops put into their pages."""
    return {
        "get": {
            "summary": "The script that tells /events what visitors do, for a shop's pages.",
            "description": _SNIPPET_HELP,
            "operationId": "snippet",
            "responses": {
                "200": {
                    "description": "Less than 4 kB, without dependencies.",
                    "content": {"text/javascript": {"example": _SNIPPET}},
                },
                "304": {"description": "It is the one whose ETag If-None-Match names."},
                **otherwise("GET, HEAD"),
            },
        }
    }


def event_schema() -> Json:
    """What an event is, field by field of the contract of events."""
    return {
        "type": "object",
        "description": "Something that a visitor did.",
        "required": [field.name for field in FIELDS if field.required],
        "properties": {field.name: _field_schema(field) for field in FIELDS},
    }


def _field_schema(field: Field) -> Json:
    known = _WIRE[type(field.dtype)]
    assert isinstance(known, dict)
    schema: dict[str, Json] = {**known}
    schema["description"] = " ".join(filter(None, [field.description, str(known.get("description", ""))]))
    if field.name == "event_type":
        schema |= {"type": "string", "enum": list(EVENT_TYPES)}
    if field.minimum is not None:
        schema["minimum"] = field.minimum
    if field.maximum is not None:
        schema["maximum"] = field.maximum
    return schema
