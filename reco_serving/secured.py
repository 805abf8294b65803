"""What the OpenAPI document says of keys: the schemes, and which scope each path asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from reco_serving.access import Rule, rule_of
from reco_serving.described_bodies import Json, refused
from reco_serving.replies import Fault

SCHEMES: Final[dict[str, Json]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, made with `reco keys add`."},
    "header": {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "The same."},
    "query": {"type": "apiKey", "in": "query", "name": "key", "description": "The same, for browsers."},
}


def secured(paths: Mapping[str, Json], asked: bool) -> dict[str, Json]:
    """``paths`` with what each asks for by the table of access; ``asked`` says whether it does so now."""
    return {path: _secured(item, rule_of(path), asked) for path, item in paths.items()}


def _secured(item: Json, rule: Rule, asked: bool) -> Json:
    if rule.scope is None:
        return item
    assert isinstance(item, dict)
    ways = ["bearer", "header", *(["query"] if rule.key_in_query else [])]
    security: list[Json] = [{way: [rule.scope.value]} for way in ways]
    if not asked:
        security.append({})  # and nothing at all is enough
    lacking = Fault("key", f"is not good for this: it lacks the scope {rule.scope}")
    told = {**refused(401, 429), **refused(403, example=lacking)}
    found: dict[str, Json] = {}
    for method, operation in item.items():
        assert isinstance(operation, dict)
        answers = operation["responses"]
        assert isinstance(answers, dict)
        found[method] = {
            **operation,
            "security": security,
            "responses": dict(sorted({**told, **answers}.items())),
        }
    return found
