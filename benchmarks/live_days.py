"""Days of a shop whose shoppers are shown recommendations: half by popularity, half by all that we have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final

import numpy as np

from benchmarks.live_service import LiveService
from reco_assets.recommender.types import Int32s, Request
from reco_assets.simulator.visits import LiveDay, Visit

ARMS: Final = ("popularity", "full")
#: Products of one list, and pages that a visit has at the most.
SHOWN: Final = 10
PAGES: Final = 6
#: Share of visits that begin with a product which the shopper found without us.
FOUND: Final = 0.5
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Tally:
    """What one shopper was shown and did."""

    arm: str
    visits: int = 0
    impressions: int = 0
    clicks: int = 0
    purchases: int = 0
    revenue: float = 0.0


@dataclass
class Shoppers:
    """All shoppers so far; the arm of each stays the same over the days.

    Attributes
    ----------
    owned
        Product rows that a user row has bought, in the history and since.
    """

    seed: int
    owned: dict[int, set[int]]
    tallies: dict[int, Tally] = field(default_factory=dict)

    def of(self, user: int, user_id: str) -> Tally:
        """The tally of a shopper, who is drawn into an arm when they first come."""
        if user not in self.tallies:
            self.tallies[user] = Tally(ARMS[arm_of(user_id, self.seed)])
        return self.tallies[user]


def arm_of(user_id: str, seed: int) -> int:
    """0 or 1 by the user's id alone, so that it is the same at every visit."""
    return blake2b(f"{seed}:{user_id}".encode(), digest_size=1).digest()[0] % len(ARMS)


@dataclass(frozen=True)
class Rows:
    """The world's product rows and the bundle's; -1 where the other does not have it."""

    to_bundle: Int32s
    to_world: Int32s


def live_through(service: LiveService, day: LiveDay, visits: int, rows: Rows, shoppers: Shoppers) -> None:
    """Every visit of ``day``, in the order of time; what is done is told to the service at once."""
    world = day.world
    ids, names = world.products.ids.to_pylist(), world.users.ids.to_pylist()
    for visit in day.visits(visits, FOUND):
        user_id, session = names[visit.user], f"live-{day.index}-{visit.number}"
        tally = shoppers.of(visit.user, user_id)
        owned = shoppers.owned.setdefault(visit.user, set())
        _visit(service, day, visit, rows, tally, owned, _Teller(service, day, user_id, session, ids))


@dataclass
class _Teller:
    """Tells the service what one shopper does in one visit."""

    service: LiveService
    day: LiveDay
    user_id: str
    session: str
    ids: Sequence[str]
    count: int = 0

    def tell(self, *events: tuple[str, int, int]) -> None:
        """Events of ``(type, product row of the world, UTC microseconds)``."""
        self.service.collect([dict(self._event(*event)) for event in events])

    def _event(self, kind: str, product: int, time: int) -> Iterator[tuple[str, object]]:
        self.count += 1
        yield "event_id", f"{self.session}-{self.count}"
        yield "user_id", self.user_id
        yield "session_id", self.session
        yield "event_type", kind
        yield "product_id", self.ids[product]
        yield "timestamp", (_EPOCH + timedelta(microseconds=time)).isoformat(timespec="microseconds")
        yield "price", float(self.day.prices[product])
        if kind != "click":
            yield "quantity", 1


def _visit(
    service: LiveService,
    day: LiveDay,
    visit: Visit,
    rows: Rows,
    tally: Tally,
    owned: set[int],
    teller: _Teller,
) -> None:
    answers: dict[str, Callable[[str, str, Request, int], Int32s]] = {
        "popularity": service.popularity,
        "full": service.full,
    }
    time, opened, seen = visit.time, dict[int, int](), list[int]()
    tally.visits += 1
    if visit.finds >= 0:
        opened[visit.finds] = 1
        teller.tell(("click", visit.finds, time))
    for page in range(PAGES):
        time += day.pause(visit, page)
        # the next page shows what no page of this visit has shown
        request = Request(n=SHOWN, exclude=tuple(seen), seed=page)
        shown = answers[tally.arm](teller.user_id, teller.session, request, time)
        seen += shown.tolist()
        products = rows.to_world[shown]
        reaction = day.reads(visit, page, products, opened, owned, time)
        tally.impressions += len(products)
        for product, clicked, bought in zip(products.tolist(), reaction.opened, reaction.bought, strict=True):
            if not clicked:
                continue
            time += 1_000_000
            opened[product] = opened.get(product, 0) + 1
            tally.clicks += 1
            told = [("click", product, time)]
            if bought:
                told += [("add_to_cart", product, time + 300_000), ("purchase", product, time + 600_000)]
                tally.purchases += 1
                tally.revenue += float(day.prices[product])
                owned.add(product)
            teller.tell(*told)
        if not day.stays(visit, page, bool(np.any(reaction.opened))):
            return
