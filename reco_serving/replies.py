"""What an answer says: one definition for encoding, for the client's decoding and for OpenAPI."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from reco_assets.recommender.types import Shortfall


class Product(Struct, frozen=True):
    """One recommended product. ``position`` counts from 0; price is null where unknown.

    ``campaign`` names the promotion that put it there, ``rules`` the boosts that moved it.
    """

    product_id: str
    score: float
    position: int
    source: str
    reason: str
    title: str
    category: str | None
    price: float | None
    campaign: str | None = None
    rules: list[str] = []


class Recommended(Struct, frozen=True):
    """The answer to /recommend.

    ``rung`` is the step of the degradation ladder that answered: full, no_user_state, no_ranker,
    category_popular or popular; ``degraded`` says that something that should be there was missing.
    ``shortfall`` says why there are fewer products than were asked for. ``variant`` names the experiments
    that decided over the answer, as ``experiment:variant``; ``default`` where none did.
    """

    user_id: str | int
    recommendations: list[Product]
    model_version: str
    latency_ms: float
    recommendation_id: str
    variant: str
    degraded: bool
    rung: str
    shortfall: Shortfall | None = None


class RecommendedBatch(Struct, frozen=True):
    """The answer to /recommend/batch: one answer a request, in their order."""

    answers: list[Recommended]


class Listed(Struct, frozen=True):
    """The answer to /bought-together, /buy-again and /recently-viewed.

    ``rung`` and ``degraded`` as in /recommend. ``shortfall`` says why there are fewer products than were
    asked for: of /buy-again, ``not bought`` counts all that the user has never bought, of /recently-viewed
    ``not viewed`` all that is none of what was looked at lately.
    """

    user_id: str | int | None
    recommendations: list[Product]
    model_version: str
    latency_ms: float
    degraded: bool
    rung: str
    shortfall: Shortfall | None = None


class RankedProduct(Struct, frozen=True):
    """One product of a list; ``score`` and ``source`` are null where the product is not known."""

    product_id: str
    position: int
    score: float | None = None
    source: str | None = None


class Ranked(Struct, frozen=True):
    """The answer to /rank: every product of the list once; those of ``unknown`` come last, in their order."""

    user_id: str | int
    ranking: list[RankedProduct]
    unknown: list[str]
    model_version: str
    latency_ms: float
    degraded: bool
    rung: str


class BundleHealth(Struct, frozen=True, omit_defaults=True):
    """The bundle that serves; empty where there is none.

    ``product_epoch`` is the Delta version of gold/product_features that its product features are at,
    -1 where they are as the bundle was made.
    """

    version: str = ""
    registry_version: str = ""
    created_at: str = ""
    loaded_at: str = ""
    products: int = 0
    ranks_by: str = ""
    product_epoch: int | None = None


class Health(Struct, frozen=True):
    """The answer to /health: ``ok``, ``degraded`` (something is missing), or ``waiting`` for a bundle.

    ``policy`` is the digest of the policy file that holds; empty where the bundle's own rules do.
    ``redis_breaker`` says whether Redis is asked (closed), tried (half_open) or left alone (open).
    """

    status: Literal["ok", "degraded", "waiting"]
    since: str
    bundle: BundleHealth
    redis: str
    redis_breaker: str
    missing: list[str]
    policy: str


class Ready(Struct, frozen=True):
    """The answer to /ready: the worker has a bundle, and can answer."""

    bundle: str


class Related(Struct, frozen=True):
    """The answer to /similar and /trending.

    ``rung`` is full, or no_user_state where what is known of the user could not be read; then the answer is
    ``degraded``. ``shortfall`` says why there are fewer products than were asked for; the product that others
    are to go with counts as excluded.
    """

    recommendations: list[Product]
    model_version: str
    latency_ms: float
    degraded: bool
    rung: str
    shortfall: Shortfall | None = None


class Contribution(Struct, frozen=True):
    """What one feature of the ranker, at this value, added to a score; null where the value is unknown."""

    feature: str
    value: float | None
    contribution: float


class ExplainedProduct(Struct, frozen=True):
    """One product of an explained answer.

    ``base``, the contributions of ``features`` and those of ``blend`` (the sources' blend that the trees
    stand upon) add up to what the ranker said; ``rules`` may have moved the score from there. They are
    empty where no ranker was asked, or the product came from elsewhere, as a promotion does.
    ``propensity`` is the probability with which it was shown at this place.
    """

    product_id: str
    position: int
    score: float
    source: str
    reason: str
    propensity: float
    campaign: str | None
    rules: list[str]
    source_scores: dict[str, float]
    base: float | None
    features: list[Contribution]
    blend: dict[str, float]


class Explained(Struct, frozen=True):
    """The answer to /explain: a decision made again from its record, and taken apart.

    ``replayed`` says that it came out as it was logged, to the bit; else ``differs`` says how not.
    ``policy`` is the digest of the policy file that held, empty for the bundle's own rules.
    """

    recommendation_id: str
    user_id: str | int
    decided_at: str
    model_version: str
    policy: str
    variant: str
    rung: str
    degraded: bool
    latency_ms: float
    candidates: int
    replayed: bool
    differs: str | None
    products: list[ExplainedProduct]


class Rejected(Struct, frozen=True):
    """An event that breaks the contract: its place in the request from 0, its id where it has one, why."""

    index: int
    event_id: str | None
    reasons: list[str]


class Collected(Struct, frozen=True):
    """The answer to /events. What is rejected is kept as well, with its reasons, to be mended."""

    accepted: int
    rejected: list[Rejected]


class Fault(Struct, frozen=True):
    """What was wrong: the field (``body`` for the whole), and why."""

    field: str
    reason: str


class Refused(Struct, frozen=True):
    """The body of every answer that is not 200."""

    error: Fault
