"""Shoppers who send events until they are told to stop, and note what was accepted.

They do what a good client does: a batch that was not answered with 202 is sent again, as it is.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import random
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final, Self

import polars as pl

#: Shoppers that send at the same time, and the seconds between two batches of one of them.
SHOPPERS: Final = 3
PAUSE_SECONDS: Final = 0.2
USERS: Final = 400
PRODUCTS: Final = 120
#: Shares of batches that are sent a second time though they were answered, of late and of bad events.
AGAIN: Final = 0.03
LATE: Final = 0.04
BAD: Final = 0.01
_KINDS: Final = ("click",) * 8 + (
    "add_to_cart",
    "add_to_cart",
    "purchase",
    "favorite",
    "search",
    "impression",
)
_TIMEOUT_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Accepted:
    """What the shoppers were told.

    Attributes
    ----------
    ids
        Of the events that an answer 202 named accepted.
    requests, retries
        Batches that were answered with 202, and attempts that were not.
    """

    ids: pl.Series
    rejected: int
    requests: int
    retries: int


class Load:
    """The shoppers, in a process of their own; ``folder`` takes their notes."""

    def __init__(self, port: int, seed: int, folder: Path) -> None:
        self._folder = folder
        context = multiprocessing.get_context("spawn")
        self._stop: Event = context.Event()
        self._process: BaseProcess = context.Process(
            target=_shop, args=(port, seed, folder, self._stop), daemon=True
        )

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True)
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Let each send its last batch until it is accepted."""
        self._stop.set()
        self._process.join()

    def accepted(self) -> Accepted:
        """What they noted; they must have ended."""
        notes = [json.loads(path.read_text()) for path in sorted(self._folder.glob("*.json"))]
        told = {name: sum(note[name] for note in notes) for name in ("rejected", "requests", "retries")}
        ids = pl.concat([pl.Series(note["ids"], dtype=pl.String) for note in notes]).unique()
        return Accepted(ids, **told)


def batch_of(dice: random.Random, name: str, number: int, now: datetime) -> list[dict[str, object]]:
    """20 to 50 events with ids of their own, some of them late, a few bad."""
    made = []
    for place in range(dice.randint(20, 50)):
        kind = dice.choice(_KINDS)
        at = now - timedelta(milliseconds=dice.randrange(2_000))
        if dice.random() < LATE:
            at -= timedelta(minutes=dice.randrange(26 * 60))
        user = dice.randrange(USERS)
        event: dict[str, object] = {
            "event_id": f"{name}-{number}-{place}",
            "user_id": f"u{user}",
            "session_id": f"s{user}-{number // 50}",
            "event_type": kind if dice.random() > BAD else "stared at",
            "timestamp": at.isoformat(timespec="milliseconds"),
            "source": "web",
        }
        if kind == "search":
            event["query"] = "garden chairs"
        else:
            event |= {"product_id": f"p{dice.randrange(PRODUCTS)}", "price": 19.9, "quantity": 1}
        made.append(event)
    return made


def _shop(port: int, seed: int, folder: Path, stop: Event) -> None:
    shoppers = [
        threading.Thread(
            target=_shopper, args=(port, random.Random(f"{seed}:{n}"), f"{seed}-{n}", folder, stop)
        )
        for n in range(SHOPPERS)
    ]
    for shopper in shoppers:
        shopper.start()
    for shopper in shoppers:
        shopper.join()


def _shopper(port: int, dice: random.Random, name: str, folder: Path, stop: Event) -> None:
    ids: list[str] = []
    rejected = requests = retries = number = 0
    bad: set[int] = set()
    while not stop.is_set():
        number += 1
        events = batch_of(dice, name, number, datetime.now(UTC))
        body = json.dumps(events).encode()
        for _ in range(2 if dice.random() < AGAIN else 1):
            while (answer := _sent(port, body)) is None:
                retries += 1
                time.sleep(0.1)
            requests += 1
            bad = {one["index"] for one in answer["rejected"]}
        rejected += len(bad)
        ids += [str(event["event_id"]) for place, event in enumerate(events) if place not in bad]
        time.sleep(PAUSE_SECONDS)
    told = {"ids": ids, "rejected": rejected, "requests": requests, "retries": retries}
    (folder / f"{name}.json").write_text(json.dumps(told))


def _sent(port: int, body: bytes) -> dict[str, list[dict[str, int]]] | None:
    """The answer where it is 202; None where there was another one, or none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_SECONDS)
    with suppress(OSError, http.client.HTTPException):
        try:
            connection.request("POST", "/events", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            content = response.read()
            if response.status == http.client.ACCEPTED:
                answer: dict[str, list[dict[str, int]]] = json.loads(content)
                return answer
        finally:
            connection.close()
    return None
