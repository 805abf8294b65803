"""Visitors who are shown recommendations and go on from there.

A visitor belongs to one thread, and what they did is acknowledged before they ask: so what the service
had been told when it answered is never in doubt.
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, cast
from uuid import UUID

from reco_assets.errors import MissingDependency

_KINDS: Final = ("click",) * 8 + ("add_to_cart",) * 3 + ("purchase", "purchase", "favorite", "search")
_DEVICES: Final = ("unknown", "desktop", "mobile", "tablet", "app")
_TIMEOUT_SECONDS: Final = 30.0
#: Share of visitors whom the shop has not seen before.
_NEW: Final = 0.1
#: How late an event may be, seconds.
LATEST_SECONDS: Final = 1_200.0


@dataclass
class Visitors:
    """``threads`` threads of visitors, who go on until they have had ``decisions`` whole answers.

    An answer that says it is degraded was made without the online store; it is counted apart.

    Attributes
    ----------
    users, products, categories
        What the shop's history names.
    until
        Monotonic seconds over which the questions are spread.
    late
        Share of events that tell of something up to ``LATEST_SECONDS`` ago.
    """

    port: int
    users: Sequence[str]
    products: Sequence[str]
    categories: Sequence[str]
    decisions: int
    until: float
    late: float
    seed: int
    threads: int = 3
    events: int = 0
    degraded: int = 0
    trouble: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def run(self) -> None:
        """Return when all has been asked; raises MissingDependency where the service refused something."""
        crowd = [threading.Thread(target=self._visit, args=(number,)) for number in range(self.threads)]
        for one in crowd:
            one.start()
        for one in crowd:
            one.join()
        if self.trouble:
            raise MissingDependency(f"asking the service: {self.trouble[0]}")

    def _visit(self, number: int) -> None:
        dice = random.Random(f"{self.seed}:{number}")
        wanted = self.decisions // self.threads + (number < self.decisions % self.threads)
        own = [*self.users[number :: self.threads]]
        started, asked = time.monotonic(), 0
        pause = max(0.0, self.until - started) / max(1, wanted)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_TIMEOUT_SECONDS)
        try:
            while asked < wanted:
                user = f"new-{number}-{dice.randrange(500)}" if dice.random() < _NEW else dice.choice(own)
                session = f"{user}-{dice.randrange(10**9)}"
                shown: list[str] = []
                for _ in range(min(wanted - asked, dice.randint(1, 5))):
                    told = [self._event(dice, user, session, shown) for _ in range(dice.randint(0, 3))]
                    if told:
                        self._post(connection, "/events", told)
                    answer = self._post(connection, "/recommend", self._question(dice, user, session))
                    products = cast("list[dict[str, str]]", answer["recommendations"])
                    shown = [one["product_id"] for one in products]
                    asked += not answer["degraded"]
                    with self._lock:
                        self.events += len(told)
                        self.degraded += bool(answer["degraded"])
                    time.sleep(max(0.0, started + asked * pause - time.monotonic()))
        except (OSError, http.client.HTTPException, MissingDependency) as error:
            self.trouble.append(str(error))
        finally:
            connection.close()

    def _event(self, dice: random.Random, user: str, session: str, shown: Sequence[str]) -> dict[str, object]:
        kind = dice.choice(_KINDS)
        at = datetime.now(UTC)
        if dice.random() < self.late:
            at -= timedelta(seconds=dice.uniform(0.0, LATEST_SECONDS))
        event: dict[str, object] = {
            "event_id": str(UUID(int=dice.getrandbits(128))),
            "user_id": user,
            "session_id": session,
            "event_type": kind,
            "timestamp": at.isoformat(timespec="microseconds"),
        }
        if kind == "search":
            return event | {"query": "anything"}
        product = dice.choice(shown) if shown and dice.random() < 0.5 else dice.choice(self.products)
        return event | {"product_id": product, "price": round(dice.uniform(1, 99), 2)}

    def _question(self, dice: random.Random, user: str, session: str) -> dict[str, object]:
        question: dict[str, object] = {"user_id": user, "num_recommendations": dice.choice((5, 10, 10, 20))}
        context: dict[str, object] = {"device": dice.choice(_DEVICES)}
        if dice.random() < 0.5:
            question["session_id"] = session
        if dice.random() < 0.2:
            context["product_id"] = dice.choice(self.products)
        if dice.random() < 0.1:
            context["cart"] = dice.sample(self.products, 2)
        if dice.random() < 0.1:
            context |= {"hour": dice.randrange(24), "weekday": dice.randrange(7)}
        if dice.random() < 0.1:
            question["exclude"] = dice.sample(self.products, 3)
        if dice.random() < 0.1:
            question["category"] = dice.choice(self.categories)
        return question | {"context": context}

    def _post(self, connection: http.client.HTTPConnection, path: str, body: object) -> dict[str, object]:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read()
        if response.status not in (http.client.OK, http.client.ACCEPTED):
            raise MissingDependency(f"{path} answered {response.status}: {content.decode()[:300]}")
        told: dict[str, object] = json.loads(content)
        return told
