"""Bodies in the OpenAPI document: each has the schema of its type, and an example."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from reco_serving.http import BODY_SECONDS, MOST_BYTES
from reco_serving.replies import Fault, Refused

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

#: How a schema of the document's components is named.
REFERENCE: Final = "#/components/schemas/{name}"

_REFUSALS: Final[Mapping[int, tuple[str, Fault]]] = {
    400: (
        "The request breaks its contract: the field and the reason.",
        Fault("num_recommendations", "Expected `int` <= 100"),
    ),
    401: (
        "The key is missing, not known, or was revoked.",
        Fault("key", "is required: X-Api-Key, or Authorization: Bearer"),
    ),
    403: (
        "The key is not good for this.",
        Fault("key", "is not good for this: it lacks the scope recommend"),
    ),
    404: ("There is no such product.", Fault("product_id", "there is no product 'p0'")),
    408: ("The body did not come in time.", Fault("body", f"did not come within {BODY_SECONDS:g} seconds")),
    413: ("The body is too long.", Fault("body", f"may be at most {MOST_BYTES} bytes long")),
    429: (
        "More than the key may ask, or than can be answered in time: ask again after Retry-After seconds.",
        Fault("service", "more is asked than can be answered in time: ask again later"),
    ),
    503: (
        "No bundle has been promoted yet.",
        Fault("bundle", "no bundle has been promoted yet: run `reco materialize`"),
    ),
}


def _header(why: str, example: str | int) -> Json:
    kind = "integer" if isinstance(example, int) else "string"
    return {"description": why, "required": True, "schema": {"type": kind}, "example": example}


#: Seconds after which whoever was refused may ask again.
RETRY_AFTER: Final[Mapping[str, Json]] = {"Retry-After": _header("Seconds after which to ask again.", 1)}
_HEADERS: Final[Mapping[int, Mapping[str, Json]]] = {
    401: {"WWW-Authenticate": _header("How a key is told.", 'Bearer realm="reco"')},
    429: RETRY_AFTER,
}


def content(kind: type[Struct], example: Json) -> Json:
    """A body of JSON: what it has to be, and one that is."""
    schema: Json = {"$ref": REFERENCE.format(name=kind.__name__)}
    return {"application/json": {"schema": schema, "example": example}}


def answered(why: str, example: Struct) -> Json:
    """The answer that was asked for, of the type of ``example``."""
    return {"description": why, "content": content(type(example), msgspec.to_builtins(example))}


def refused(
    *statuses: int,
    why: str | None = None,
    example: Fault | None = None,
    headers: Mapping[str, Json] | None = None,
) -> dict[str, Json]:
    """The refusals with these statuses; what is given stands in the place of what is usual for them."""
    found: dict[str, Json] = {}
    for status in statuses:
        usual, fault = _REFUSALS[status]
        body = answered(why or usual, Refused(example or fault))
        assert isinstance(body, dict)
        told = _HEADERS.get(status, {}) if headers is None else headers
        found[str(status)] = {**body, **({"headers": dict(told)} if told else {})}
    return found


def otherwise(allowed: str) -> dict[str, Json]:
    """The refusal of a method that is none of ``allowed``, which has commas between."""
    fault = Fault("method", f"must be {'one of ' if ',' in allowed else ''}{allowed}")
    body = answered("The path is asked by another method.", Refused(fault))
    assert isinstance(body, dict)
    return {"405": {**body, "headers": {"Allow": _header("The methods that are answered.", allowed)}}}
