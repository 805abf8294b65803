"""Two policies beside each other: what their files say, and what they answer the same people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from reco_assets.recommender.policy.compiled import Compiled
from reco_assets.recommender.policy.document import Document
from reco_assets.recommender.recommend import recommend
from reco_assets.recommender.types import Recommendation, Request, UserState


@dataclass(frozen=True)
class Change:
    """A field of which two files say different things; None where one says nothing."""

    field: str
    old: object
    new: object


@dataclass(frozen=True)
class Difference:
    """Answers to the same people under two policies.

    Attributes
    ----------
    lists, changed, reordered
        How many answers there are; in how many of them there are other products; in how many there are
        the same ones in another order.
    shorter
        How many have fewer products under the new policy.
    into, out
        Item rows that came into answers, and that went out of them, with how many answers.
    promoted
        How many places each campaign has, under the new policy.
    """

    lists: int
    changed: int
    reordered: int
    shorter: int
    into: Counter[int]
    out: Counter[int]
    promoted: Counter[str]


def changes(old: Document, new: Document) -> tuple[Change, ...]:
    """The fields of which the files say different things; boosts and campaigns go by their names."""
    before, after = _fields(old), _fields(new)
    return tuple(
        Change(field, before.get(field), after.get(field))
        for field in sorted({*before, *after})
        if before.get(field) != after.get(field)
    )


def difference(old: Compiled, new: Compiled, people: Sequence[UserState], n: int, now: int) -> Difference:
    """What ``people`` are answered, ``n`` products each at ``now`` (UTC us), under both policies."""
    into: Counter[int] = Counter()
    out: Counter[int] = Counter()
    promoted: Counter[str] = Counter()
    changed = reordered = shorter = 0
    for seed, person in enumerate(people):
        before, after = (_answer(rules, person, n, now, seed) for rules in (old, new))
        had, has = [one.item for one in before], [one.item for one in after]
        changed += set(had) != set(has)
        reordered += set(had) == set(has) and had != has
        shorter += len(has) < len(had)
        into.update(set(has) - set(had))
        out.update(set(had) - set(has))
        promoted.update(one.campaign for one in after if one.campaign)
    return Difference(len(people), changed, reordered, shorter, into, out, promoted)


def _answer(rules: Compiled, person: UserState, n: int, now: int, seed: int) -> tuple[Recommendation, ...]:
    request = Request(n=n, seed=seed)
    return recommend(request, person, rules.table.bundle, rules.policy, now, rules=rules).recommendations


def _fields(document: Document) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in msgspec.to_builtins(document).items():
        if name == "boosts":
            found |= {f"boosts {one['name']}": one for one in value}
        elif name == "promotions":
            found |= {f"promotions {one['campaign']}": one for one in value}
        elif value is not None:
            found[name] = value
    return found
