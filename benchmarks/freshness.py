"""How soon what a person did is known: ``python -m benchmarks.freshness --duration 60 --json``.

A simulated shop with a history in its lake is served with a bundle while ``reco stream`` follows the
stream and shoppers send events. Measured are the time from ``POST /events`` to an answer of
``/recommend`` that differs, the time to a new list on the open ``/stream`` of that session, and from the
closing of a window (its end and ten seconds) to the user's value in Redis that counts it, with the part
that each step has in it.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, cast
from uuid import uuid4

import httpx
import numpy as np
import polars as pl
import redis

from benchmarks.caller import Caller
from benchmarks.chaos_load import Load
from benchmarks.report import Value, log, percentile, report
from benchmarks.serving_shop import Shop, fitted, simulated
from benchmarks.streamed import Lists
from benchmarks.streaming_home import private, running
from benchmarks.supervised import Waiting
from reco_assets.catalogue.history import product_history
from reco_assets.catalogue.ingest import PRODUCTS, ingest_files
from reco_assets.errors import RecoError
from reco_assets.events.adapters.parquet import Parquet
from reco_assets.events.contract import EVENTS
from reco_assets.events.importer import import_files
from reco_assets.features.catalogue import USER_FEATURES, names
from reco_assets.features.windows import WATERMARK_US, WINDOW_US
from reco_assets.online import keys
from reco_assets.online.codec import USER_HEAD, U
from reco_assets.online.mark import read_mark
from reco_assets.platform.lake import open_lake
from reco_assets.platform.redis import connect
from reco_assets.platform.registry import Registry
from reco_assets.platform.settings import Settings

_SECONDS: Final = 1_000_000
_TOTAL: Final = names(USER_FEATURES).index("total_events")
#: An answer that has not changed after so long is counted as unchanged; so is a window.
ANSWER_SECONDS: Final = 2.0
WINDOW_PATIENCE_SECONDS: Final = 180.0
#: A window must have so many seconds left when its first event is sent.
LEAST_SECONDS: Final = 30.0
#: Pause between two people whose answer is watched, and between two whose windows are.
PAUSE_SECONDS: Final = 0.1
STEPS: Final = ("drain", "interactions", "windows", "features", "online")


def main() -> int:
    """Build, start, measure; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--duration", type=float, default=60.0, help="seconds in which answers are watched")
    parser.add_argument("--windows", type=int, default=1, help="windows of 5 minutes that are waited for")
    parser.add_argument("--products", type=int, default=5_000)
    parser.add_argument("--events", type=int, default=200_000, help="of the simulated history")
    parser.add_argument("--stream-seconds", type=float, default=10.0, help="between two micro-batches")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            results = run(given, Path(folder))
    except RecoError as error:
        log(f"benchmarks.freshness: {error}")
        return 1
    told = ("duration", "windows", "products", "events", "stream_seconds")
    report("freshness", {name: getattr(given, name) for name in told}, results, given.json)
    return 0


def run(given: argparse.Namespace, folder: Path) -> dict[str, Value]:
    """The results of a shop in ``folder``."""
    settings = private(folder, given.stream_seconds)
    shop = simulated(given.products, max(500, given.events // 50), given.events, folder / "shop")
    _stock(settings, shop)
    registry = Registry(settings)
    started = registry.client().create_run(registry.experiment("benchmark"))
    bundle = fitted(shop, trees=60, depth=5).save(folder / "bundle")
    registry.promote(registry.register_bundle(bundle, started.info.run_id), time.time_ns() // 1_000_000)
    with running(settings, folder), connect(settings) as store:
        still = Waiting(300.0, "the online store is not filled", 0.5)
        while still(read_mark(store) is None or not _serves(settings)):
            pass
        with Load(settings.service_port, 0, folder / "load") as load:
            begun = time.monotonic()
            watched = Windows(settings, store)
            results: dict[str, Value] = {}
            answers, lists = Answers(settings, shop), Lists(settings, shop)
            for number in range(given.windows):
                closed = watched.follow(answers, lists, begun + given.duration)
                log(f"window {number + 1} of {given.windows}: {len(watched.delays)} people, closed {closed}")
            load.end()
            sent = load.accepted()
            seconds = time.monotonic() - begun
        results = answers.results() | lists.results() | watched.results(folder / "follower.log")
    return results | {"background_events_per_second": round(len(sent.ids) / seconds, 1)}


def _stock(settings: Settings, shop: Shop) -> None:
    """The shop's history and catalogue into the lake; the follower makes the other tables."""
    lake, now = open_lake(settings), datetime.now(UTC)
    import_files(lake, Parquet({}), sorted((shop.folder / "events").glob("*.parquet")), now)
    ingest_files(lake, PRODUCTS, [shop.folder / "products.parquet"], now)
    named = lake.scan(EVENTS).drop_nulls("product_id").group_by("product_id")
    seen = named.agg(first_seen=pl.col("timestamp").min())
    lake.replace("silver/products", product_history(lake.scan("raw/catalogue"), seen).to_arrow())


def _serves(settings: Settings) -> bool:
    health = httpx.get(f"http://127.0.0.1:{settings.service_port}/health", timeout=5.0).json()
    return bool(health["bundle"])


@dataclass
class Answers:
    """People whose answer is asked before and after a click."""

    settings: Settings
    shop: Shop
    milliseconds: list[float] = field(default_factory=list)
    asks: list[int] = field(default_factory=list)
    unchanged: int = 0
    unsteady: int = 0

    def __post_init__(self) -> None:
        self._caller = Caller(self.settings)
        self._dice = random.Random(7)
        self._people = list(self.shop.log.user_ids)
        self._dice.shuffle(self._people)
        self._popular = [self.shop.items.ids[row] for row in np.unique(self.shop.log.item).tolist()]

    def probe(self) -> None:
        """One person: a click, and the time until the answer is another one."""
        user = str(self._people[(len(self.milliseconds) + self.unchanged) % len(self._people)])
        before = self._answer(user)
        if self._answer(user) != before:
            self.unsteady += 1  # somebody else's doing: it would tell nothing
            return
        product = self._dice.choice([one for one in self._popular if one not in before])
        asked, started = 0, time.perf_counter()
        self._caller.click(user, product)
        while time.perf_counter() - started < ANSWER_SECONDS:
            asked += 1
            if self._answer(user) != before:
                self.milliseconds.append((time.perf_counter() - started) * 1e3)
                self.asks.append(asked)
                return
        self.unchanged += 1

    def results(self) -> dict[str, Value]:
        """Times from the click's sending to the other answer's arrival."""
        return {
            "answer_p50_ms": percentile(self.milliseconds, 50, 2),
            "answer_p99_ms": percentile(self.milliseconds, 99, 2),
            "answers": len(self.milliseconds),
            "answers_changed_at_first_ask": sum(one == 1 for one in self.asks),
            "answers_unchanged": self.unchanged,
            "answers_unsteady": self.unsteady,
        }

    def _answer(self, user: str) -> list[str]:
        found = self._caller.ask("/recommend", {"user_id": user, "num_recommendations": 20})
        shown = cast("list[dict[str, str]]", found["recommendations"])
        return [one["product_id"] for one in shown]


@dataclass
class Windows:
    """People who click once, and are looked up in Redis until their windowed features count it.

    Attributes
    ----------
    delays, since_post
        Seconds to the features in Redis from the window's closing, and from the answer to the click.
    closings
        Closings that were waited for, seconds since 1970.
    """

    settings: Settings
    store: redis.Redis
    delays: list[float] = field(default_factory=list)
    since_post: list[float] = field(default_factory=list)
    closings: list[float] = field(default_factory=list)
    missing: int = 0

    def follow(self, answers: Answers, lists: Lists, answers_until: float) -> str:
        """Watch the window that is open now, answers and lists until ``answers_until``; its closing."""
        width, caller = WINDOW_US / _SECONDS, Caller(self.settings)
        end = (time.time() // width + 1) * width
        if end - time.time() < LEAST_SECONDS:
            end += width
        sent: dict[str, float] = {}
        while time.time() < end - 0.2:
            user = f"fresh-{uuid4()}"
            if time.time() > end - width:
                caller.click(user, answers.shop.items.ids[len(sent) % len(answers.shop.items.ids)])
                sent[user] = time.time()
            if time.monotonic() < answers_until:
                answers.probe()
                lists.probe()
            time.sleep(PAUSE_SECONDS)
        closing = end + WATERMARK_US / _SECONDS
        self.closings.append(closing)
        log(f"{len(answers.milliseconds)} answers have changed, {len(lists.milliseconds)} lists have come")
        log(f"{len(sent)} people wait for their window")
        self._await(sent, closing)
        return datetime.fromtimestamp(closing, UTC).isoformat()

    def _await(self, sent: dict[str, float], closing: float) -> None:
        left = dict(sent)
        while left and time.time() < closing + WINDOW_PATIENCE_SECONDS:
            people = list(left)
            values = cast("list[bytes | None]", self.store.mget([keys.user(person) for person in people]))
            now = time.time()
            for person, value in zip(people, values, strict=True):
                if value is not None and np.frombuffer(value, "<f4", U, USER_HEAD)[_TOTAL] >= 1:
                    self.delays.append(now - closing)
                    self.since_post.append(now - left.pop(person))
            time.sleep(0.02)
        self.missing += len(left)

    def results(self, follower_log: Path) -> dict[str, Value]:
        """Delays, and where the time went in the micro-batch that brought each window."""
        return {
            "windowed_p50_s": percentile(self.delays, 50, 2),
            "windowed_p99_s": percentile(self.delays, 99, 2),
            "windowed_since_post_p50_s": percentile(self.since_post, 50, 2),
            "windowed_since_post_p99_s": percentile(self.since_post, 99, 2),
            "windowed_people": len(self.delays),
            "windowed_missing": self.missing,
            **_where(follower_log, self.closings),
        }


def _where(follower_log: Path, closings: Sequence[float]) -> dict[str, Value]:
    """Mean seconds from a closing to the start of the micro-batch that brought it, and of its steps."""
    batches = []
    for line in follower_log.read_text().splitlines():
        if line.startswith("{"):
            told = json.loads(line)
            batches.append((datetime.fromisoformat(told["at"]).timestamp(), told["seconds"], told["records"]))
    spent: dict[str, list[float]] = {}
    for closing in closings:
        for ended, seconds, records in batches:
            if ended - seconds["online"] < closing:
                continue  # its look at the clock was too early
            spent.setdefault("wait", []).append(ended - sum(seconds.values()) - closing)
            spent.setdefault("records", []).append(records)
            for step in STEPS:
                spent.setdefault(step, []).append(seconds[step])
            break
    means = {name: round(float(np.mean(taken)), 2) for name, taken in spent.items()}
    return {
        "windowed_batch_records": means.pop("records", None),
        **{f"windowed_{name}_s": value for name, value in means.items()},
    }


if __name__ == "__main__":
    sys.exit(main())
