"""Why an answer was as it was: made again from its record, and taken apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import numpy as np

from reco_assets.candidates.sources import SOURCES, Candidates
from reco_assets.events.decided import Decided
from reco_assets.features.catalogue import RANKING_FEATURES, names
from reco_assets.recommender.asked import RecommendRequest, resolved
from reco_assets.recommender.contributions import Contributions
from reco_assets.recommender.policy.rules import Rules
from reco_assets.recommender.types import Decision, Floats
from reco_serving.answers import decide
from reco_serving.contract import read
from reco_serving.ladder import FULL, LADDER
from reco_serving.loaded import Loaded
from reco_serving.replies import Contribution, Explained, ExplainedProduct
from reco_serving.state import Packed, unpack

_FEATURES: Final = names(RANKING_FEATURES)
_SOURCES: Final = tuple(SOURCES)


@dataclass
class _Witness:
    """Keeps what was ranked."""

    candidates: Candidates | None = None
    matrix: Floats = field(default_factory=lambda: np.empty((0, len(_FEATURES)), np.float32))

    def __call__(self, candidates: Candidates, matrix: Floats) -> None:
        self.candidates, self.matrix = candidates, matrix


def explained(decided: Decided, loaded: Loaded, rules: Rules) -> Explained:
    """The answer of ``decided``, made again by its bundle and the rules that it names, with its reasons.

    Where product features have changed since, the answer may come out otherwise: ``replayed`` says so,
    and what is explained is what was made now.
    """
    bundle = loaded.bundle
    asked = read(RecommendRequest, decided.request)
    packed = Packed(
        decided.user_state,
        decided.pending_state,
        decided.session_state,
        decided.reached,
        habits=decided.habits_state,
    )
    state, whole = unpack(packed, bundle.items)
    witness = _Witness()
    best = decided.rung if decided.rung in LADDER else FULL
    with loaded.feed.steady:
        told = rules.now()
        policy = told.policy.changed(decided.policy_changes)
        request = resolved(asked, bundle, decided.seed)
        decision, _ = decide(request, state, whole, bundle, told, decided.now_us, witness, policy, best)
        epoch = loaded.feed.epoch
    differs = _difference(decided, decision, loaded, epoch)
    return Explained(
        recommendation_id=decided.recommendation_id,
        user_id=asked.user_id,
        decided_at=datetime.fromtimestamp(decided.now_us / 1e6, UTC).isoformat(),
        model_version=decided.bundle,
        policy=decided.policy,
        variant=decided.variant,
        rung=decided.rung,
        degraded=decided.degraded,
        latency_ms=decided.latency_ms,
        candidates=len(witness.candidates.items) if witness.candidates is not None else 0,
        replayed=differs is None,
        differs=differs,
        products=_products(decision, loaded, witness),
    )


def _difference(decided: Decided, decision: Decision, loaded: Loaded, epoch: int) -> str | None:
    """How what was made again differs from what was shown; None where it is the same to the bit."""
    shown = decision.recommendations
    for what, logged, made in (
        ("products", decided.products, [loaded.bundle.items.ids[one.item] for one in shown]),
        ("scores", decided.scores, [one.score for one in shown]),
        ("sources", decided.sources, [one.source for one in shown]),
        ("propensities", decided.propensities, [one.propensity for one in shown]),
    ):
        if logged != made:
            since = ""
            if epoch != decided.product_epoch:
                since = f": products were of epoch {decided.product_epoch}, and are of epoch {epoch} now"
            return f"the {what} are other ones{since}"
    return None


def _products(decision: Decision, loaded: Loaded, witness: _Witness) -> list[ExplainedProduct]:
    ranker = loaded.bundle.ranker
    candidates = witness.candidates
    # a rung below the ranker was asked for nothing, and has nothing to tell
    place = {item: at for at, item in enumerate(candidates.items.tolist())} if candidates is not None else {}
    ranked = [one.item for one in decision.recommendations if one.item in place]
    rows = [place[item] for item in ranked]
    matrix = witness.matrix[rows]
    terms = None
    if ranker is not None and decision.rung not in ("no_ranker", "category_popular", "popular") and rows:
        terms = Contributions.of(ranker, matrix)
    at = {item: number for number, item in enumerate(ranked)}
    told = []
    for one in decision.recommendations:
        row = at.get(one.item)
        by_source: dict[str, float] = {}
        trees: list[Contribution] = []
        blend: dict[str, float] = {}
        if row is not None and candidates is not None:
            by_source = _spoken(candidates.scores[rows[row]])
            if terms is not None:
                trees = _strongest(terms.trees[row], matrix[row])
                blend = _spoken(terms.blend[row])
        told.append(
            ExplainedProduct(
                product_id=loaded.bundle.items.ids[one.item],
                position=one.position,
                score=one.score,
                source=one.source,
                reason=one.reason,
                propensity=one.propensity,
                campaign=one.campaign or None,
                rules=list(one.rules),
                source_scores=by_source,
                base=terms.base if terms is not None and row is not None else None,
                features=trees,
                blend=blend,
            )
        )
    return told


def _spoken(values: Floats) -> dict[str, float]:
    """By source, the strongest first; sources that say nothing are left out."""
    order = np.argsort(-np.abs(values), kind="stable").tolist()
    return {_SOURCES[column]: float(values[column]) for column in order if values[column] != 0.0}


def _strongest(terms: Floats, values: Floats) -> list[Contribution]:
    order = np.argsort(-np.abs(terms), kind="stable").tolist()
    return [
        Contribution(_FEATURES[column], _known(values[column]), float(terms[column]))
        for column in order
        if terms[column] != 0.0
    ]


def _known(value: np.float32) -> float | None:
    return None if np.isnan(value) else float(value)
