"""The record of one decision: what the service writes and the lake reads, defined once for both."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

#: Stream of the records; it is in the Redis of the online values, whatever carries shop events.
STREAM: Final = "decisions"
#: One partition: a record is written by the worker that made it, and nothing depends on their order.
PARTITIONS: Final = 1

#: Of the records that are written; 1 had no propensities, 2 nothing of experiments.
VERSION: Final = 3

_Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class Evidence(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What an answer was ranked by, in so few bytes that training can be compared with it.

    Attributes
    ----------
    version
        Of the way in which the two digests are made; see recommender/digest.
    users_at, products_at
        The moments of the refreshes that the values of the user and of the products came from, UTC
        microseconds; 0 where there was none. While a refresh is under way, a user's value may
        already be of the next one.
    candidates
        Digest of the candidates' rows in their order.
    columns
        Digest of each column of the ranker's matrix, 4 bytes each.
    """

    version: int
    users_at: _Whole
    products_at: _Whole
    candidates: Annotated[int, Meta(ge=0)]
    columns: bytes


class Exposure(msgspec.Struct, frozen=True, array_like=True):
    """An experiment whose rules an answer was made by: its variant, and its phase at that moment."""

    experiment: str
    variant: str
    phase: _Whole


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """One decision with all that is needed to make it again, to the bit.

    Attributes
    ----------
    request
        The body as it came.
    user_state, pending_state, session_state, habits_state
        The packed values as Redis held them; None where there were none.
    reached
        Whether Redis could be read; where it could not, the values are those that the worker saw last.
    now_us, seed
        The clock, UTC microseconds, and what breaks ties.
    product_epoch
        Which product features the bundle had.
    products, scores, sources
        The answer, best first.
    evidence
        What it was ranked by, in the share of records that ``RECO_DECISION_EVIDENCE`` asks for.
    propensities
        Probability of each product to be shown at its place by the policy that answered; empty in
        records of version 1.
    policy
        Digest of the policy's text; empty where the bundle's own rules held.
    exposures
        The experiments that decided over this answer; ``variant`` says the same in one text.
    policy_changes
        Fields of the policy that the variants set.
    degraded, latency_ms
        As the answer said; unknown before version 3.
    """

    recommendation_id: Annotated[str, Meta(min_length=1)]
    request: bytes
    user_state: bytes | None
    pending_state: bytes | None = None
    session_state: bytes | None
    reached: bool
    bundle: str
    product_epoch: _Whole
    now_us: _Whole
    seed: _Whole
    rung: str
    variant: str
    products: list[str]
    scores: list[float]
    sources: list[str]
    evidence: Evidence | None = None
    propensities: list[float] = []
    habits_state: bytes | None = None
    policy: str = ""
    exposures: list[Exposure] = []
    policy_changes: dict[str, bool | int | float] = {}
    degraded: bool = False
    latency_ms: float = 0.0
    version: _Whole = 1


class Asker(msgspec.Struct, frozen=True):
    """Who asked, as the request has it; :attr:`user` and :attr:`session` are the ids as the lake has them."""

    user_id: str | int
    session_id: str | int | None = None

    @property
    def user(self) -> str:
        """The user's id."""
        return str(self.user_id)

    @property
    def session(self) -> str | None:
        """The visit, where the request names it."""
        return None if self.session_id is None else str(self.session_id)


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Decided)
_ASKER: Final = msgspec.json.Decoder(Asker)


def encode(decided: Decided) -> bytes:
    """``decided`` as it stands in the stream, msgpack."""
    return _ENCODER.encode(decided)


def decode(record: bytes) -> tuple[Decided, Asker]:
    """What :func:`encode` wrote, and who asked; raises ValueError saying why it is no decision."""
    decided = _DECODER.decode(record)
    if not len(decided.products) == len(decided.scores) == len(decided.sources):
        raise ValueError("products, scores and sources are not of one length")
    if decided.version >= 2 and len(decided.propensities) != len(decided.products):
        raise ValueError("products and propensities are not of one length")
    return decided, _ASKER.decode(decided.request)
