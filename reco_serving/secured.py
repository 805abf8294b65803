"""What the OpenAPI document says of keys: the schemes, and which scope each path asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reco_serving.access import Rule, rule_of

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

SCHEMES: Final[dict[str, Json]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, made with `reco keys add`."},
    "header": {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "The same."},
    "query": {"type": "apiKey", "in": "query", "name": "key", "description": "The same, for browsers."},
}
_REFUSALS: Final = {
    "401": "The key is missing, not known, or was revoked.",
    "403": "The key is not good for this.",
    "429": "More than the key may ask, or than can be answered in time: ask again after Retry-After seconds.",
}


def secured(paths: Mapping[str, Json], refused: Json, asked: bool) -> dict[str, Json]:
    """``paths`` with what each asks for by the table of access; ``asked`` says whether it does so now.

    ``refused`` describes the body of a refusal.
    """
    return {path: _secured(item, rule_of(path), refused, asked) for path, item in paths.items()}


def _secured(item: Json, rule: Rule, refused: Json, asked: bool) -> Json:
    if rule.scope is None:
        return item
    assert isinstance(item, dict)
    ways = ["bearer", "header", *(["query"] if rule.key_in_query else [])]
    security: list[Json] = [{way: [rule.scope.value]} for way in ways]
    if not asked:
        security.append({})  # and nothing at all is enough
    found: dict[str, Json] = {}
    for method, operation in item.items():
        assert isinstance(operation, dict)
        answers = operation["responses"]
        assert isinstance(answers, dict)
        told: dict[str, Json] = {
            status: {"description": why, "content": refused} for status, why in _REFUSALS.items()
        }
        found[method] = {**operation, "security": security, "responses": {**answers, **told}}
    return found
