"""A source that falls silent, and a group of features that nothing is known of."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from reco_assets.candidates.retriever import Floats, History, Int32s, Retriever, Scratch
from reco_assets.candidates.sources import Sources
from reco_assets.features.catalogue import RANKING_FEATURES, Feature
from reco_assets.ranking.examples import Examples
from reco_assets.recommender.bundle import Bundle

#: How the origin of a feature, as the catalogue has it, begins, and what group that makes it part of.
_ORIGINS: Final = {
    "gold/user": "user",
    "gold/product": "product",
    "silver/product": "product",
    "candidate": "source scores",
    "session": "history",
    "silver/interactions": "history",
    "request": "context",
}


class _Silence:
    """A query of a source that proposes nothing and scores nothing."""

    def top(self, n: int) -> Int32s:
        """Nothing."""
        return np.empty(0, np.int32)

    def score(self, items: Int32s) -> Floats:
        """Nothing to say of any item."""
        return np.zeros(len(items), np.float32)


def silent(retriever: Retriever) -> Retriever:
    """``retriever`` as it is, but for its queries, which are silent.

    Rules that read the source itself, such as popular products filling a short answer, still find it.
    """

    def query(self: Retriever, history: History, scratch: Scratch) -> _Silence:
        return _Silence()

    def links(
        self: Retriever, history: History, items: Int32s, scratch: Scratch, out: Floats, column: int
    ) -> None:
        return

    mute = copy.copy(retriever)
    kind = type(retriever)
    quiet_parts = {"query": query, "links": links}
    object.__setattr__(mute, "__class__", type(f"Silent{kind.__name__}", (kind,), quiet_parts))
    return mute


def quiet(bundle: Bundle, without: str) -> Bundle:
    """``bundle`` with the source ``without`` silent; the candidates' matrix keeps its width."""
    if not without:
        return bundle
    sources = bundle.sources
    heard = {name: silent(one) if name == without else one for name, one in sources.retrievers.items()}
    return replace(bundle, sources=Sources(heard, sources.n_items))


def group_of(feature: Feature) -> str:
    """The group of a ranking feature, by the origin that the catalogue names."""
    for origin, group in _ORIGINS.items():
        if feature.source.startswith(origin):
            return group
    return feature.source


def groups(features: Sequence[Feature] = RANKING_FEATURES) -> dict[str, list[int]]:
    """Columns of the ranker's matrix by group, in the order of the catalogue."""
    found: dict[str, list[int]] = {}
    for column, feature in enumerate(features):
        found.setdefault(group_of(feature), []).append(column)
    return found


def masked(rows: Examples, columns: Sequence[int]) -> Examples:
    """``rows`` with every value of ``columns`` unknown.

    A tree has nothing to split there, so the ranker answers alike whatever a request has in them.
    """
    features = rows.features.copy()
    features[:, list(columns)] = np.nan
    return replace(rows, features=features)
