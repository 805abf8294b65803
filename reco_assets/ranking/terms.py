"""What each logged answer was asked for and by which rules, so that training asks the same once more."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final, Self

import msgspec
import polars as pl

from reco_assets.errors import BadExpression, BadInput, BadRequest
from reco_assets.events.decision_rows import DECISIONS
from reco_assets.platform.lake import Lake
from reco_assets.recommender.asked import RecommendRequest, resolved
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.policy.compiled import Compiled
from reco_assets.recommender.policy.kept import rules_of
from reco_assets.recommender.policy.rules import Rules
from reco_assets.recommender.types import Policy, Request

_US: Final = pl.Datetime("us", "UTC")

log = logging.getLogger("reco.ranking")


class _Record(msgspec.Struct, frozen=True):
    """The part of a decision record that says what was asked, see events/decided."""

    request: bytes
    seed: int
    policy: str = ""
    policy_changes: dict[str, bool | int | float] = {}


_RECORD: Final = msgspec.msgpack.Decoder(_Record)
_REQUEST: Final = msgspec.json.Decoder(RecommendRequest)


@dataclass(frozen=True)
class Terms:
    """What one answer had to keep to: what was asked, and the rules after ranking at that moment."""

    request: Request
    policy: Policy
    rules: Compiled


@dataclass(frozen=True)
class LoggedTerms:
    """The terms of logged answers, over ``bundle``, whose product features may follow the clock meanwhile.

    What the lake has no record of was shown by the shop itself: nothing is known of its terms, and the
    bundle's own rules stand for them. They stand also for a policy whose text was not kept where training
    runs, and a category or a filter that the bundle's products do not have any more asks for nothing. A
    request that the contract does not take any more is as one that is not known.

    Attributes
    ----------
    records
        What was asked, by recommendation id.
    policies
        Folder of the policies that were served, by digest.
    """

    records: Mapping[str, _Record]
    bundle: Bundle
    policies: Path
    _rules: dict[str, Rules] = field(default_factory=dict, repr=False)

    @classmethod
    def load(
        cls, lake: Lake, ids: Iterable[str], span: tuple[int, int], bundle: Bundle, policies: Path
    ) -> Self:
        """Of the answers ``ids``, all of them given in ``span`` (UTC microseconds, the end left out)."""
        if not lake.exists(DECISIONS):
            return cls({}, bundle, policies)
        first, last = (pl.lit(at).cast(_US) for at in span)
        found = (
            lake.scan(DECISIONS)
            .filter(
                pl.col("decided_date").is_between(first.dt.date(), last.dt.date()),
                pl.col("recommendation_id").is_in(list(ids)),
            )
            .select("recommendation_id", "record")
            .collect()
        )
        return cls({name: _RECORD.decode(record) for name, record in found.iter_rows()}, bundle, policies)

    def of(self, recommendation_id: str) -> Terms:
        """The terms of one answer, at the bundle's present product features."""
        record = self.records.get(recommendation_id)
        asked = None if record is None else _asked(recommendation_id, record)
        if record is None or asked is None:
            return Terms(Request(), self._own.policy, self._own.now())
        rules = self._rules_of(record.policy)
        told = rules.now()
        try:
            request = resolved(asked, self.bundle, record.seed)
            told.within(request)
        except (BadRequest, BadExpression):
            unlimited = msgspec.structs.replace(asked, category=None, filters="")
            request = resolved(unlimited, self.bundle, record.seed)
        return Terms(request, rules.policy.changed(record.policy_changes), told)

    @cached_property
    def _own(self) -> Rules:
        return Rules(self.bundle)

    def _rules_of(self, digest: str) -> Rules:
        if digest not in self._rules:
            try:
                self._rules[digest] = rules_of(self.policies, digest, self.bundle)
            except BadInput as error:
                log.warning("answers are asked for again by the bundle's own rules: %s", error)
                self._rules[digest] = self._own
        return self._rules[digest]


def _asked(recommendation_id: str, record: _Record) -> RecommendRequest | None:
    """What was asked, None where nobody could ask it any more."""
    try:
        return _REQUEST.decode(record.request)
    except msgspec.DecodeError as error:
        log.warning("answer %s is learned from without what was asked: %s", recommendation_id, error)
        return None
