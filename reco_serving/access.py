"""Which path asks for which scope of an API key: the one table that the door and OpenAPI read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Scope(StrEnum):
    """What a key is good for."""

    collect = "collect"
    recommend = "recommend"
    operate = "operate"
    audit = "audit"


@dataclass(frozen=True)
class Rule:
    """Who may ask a path.

    Attributes
    ----------
    scope
        What a key must be good for; None where anybody may ask.
    pages
        Whether pages of the origins in ``RECO_CORS_ORIGINS`` may ask it.
    key_in_query
        Whether the key may stand in the query, as ``?key=``: for what a browser sends without headers.
    """

    scope: Scope | None
    pages: bool = False
    key_in_query: bool = False


_ANYBODY: Final = Rule(None)
_OPERATE: Final = Rule(Scope.operate)
_RECOMMEND: Final = Rule(Scope.recommend, pages=True)

#: Every path; a last part in braces is any text without a slash.
PATHS: Final[Mapping[str, Rule]] = {
    "/events": Rule(Scope.collect, pages=True, key_in_query=True),
    "/recommend": _RECOMMEND,
    "/similar": _RECOMMEND,
    "/trending": _RECOMMEND,
    "/recommend/batch": _RECOMMEND,
    "/bought-together": _RECOMMEND,
    "/buy-again": _RECOMMEND,
    "/recently-viewed": _RECOMMEND,
    "/rank": _RECOMMEND,
    "/stream/{session_id}": Rule(Scope.recommend, pages=True, key_in_query=True),
    "/explain/{recommendation_id}": Rule(Scope.audit),
    "/experiments": Rule(Scope.audit),
    "/health": _OPERATE,
    "/metrics": _OPERATE,
    # for balancers, which have no keys: they say yes or no and nothing else
    "/livez": _ANYBODY,
    "/readyz": _ANYBODY,
    "/ready": _ANYBODY,
    # what the endpoints are, and the script of shops' pages
    "/": _ANYBODY,
    "/docs.json": _ANYBODY,
    "/static_content/{file}": _ANYBODY,
    "/reco.js": _ANYBODY,
}
#: The name of every path that is not in the table, and its rule: what nobody thought of is closed.
OTHER: Final = "/other"
_TEMPLATES: Final = {path.rpartition("/")[0]: path for path in PATHS if path.endswith("}")}


def named(path: str) -> str:
    """The table's name of ``path``: without ids, so it is fit for a label of a metric."""
    if path in PATHS:
        return path
    folder, _, last = path.rpartition("/")
    return _TEMPLATES.get(folder, OTHER) if last else OTHER


def rule_of(path: str) -> Rule:
    """Who may ask ``path``."""
    return PATHS.get(path) or PATHS.get(named(path), _OPERATE)
