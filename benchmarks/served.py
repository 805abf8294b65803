"""A shop that can be asked: bundle, registry, users in Redis, and requests; for benchmarks of the service."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import httpx
import numpy as np

from benchmarks.process import START_SECONDS, free_port
from benchmarks.report import Value, log, report
from benchmarks.serving_shop import Shop, fill, fitted, simulated
from reco_assets.errors import MissingDependency, RecoError
from reco_assets.platform.redis import open_redis, stop_redis
from reco_assets.platform.registry import Registry
from reco_assets.platform.settings import Settings
from reco_assets.recommender.bundle import Bundle

#: Share of requests by people whom nobody knows.
STRANGERS: Final = 0.05
#: Share of requests that tell of products just looked at.
TELLING: Final = 0.3
#: Options that :func:`sized` adds.
SIZES: Final = ("products", "users", "events", "trees", "depth", "workers")


@dataclass(frozen=True)
class Served:
    """A home with a champion and users, Redis running.

    Attributes
    ----------
    bundle
        The champion, in this process.
    version
        Of the champion in the registry.
    bodies
        Requests for /recommend.
    """

    settings: Settings
    folder: Path
    bundle: Bundle
    version: str
    bodies: list[bytes]

    def register(self, name: str, trees: int | None = None) -> str:
        """Register the bundle once more, called ``name``, without the last of its trees; its version.

        It is another bundle that answers nearly alike, as one of the next day is.
        """
        registry = Registry(self.settings)
        run = registry.client().create_run(registry.experiment("benchmark"))
        made = replace(self.bundle, manifest=replace(self.bundle.manifest, version=name))
        if trees is not None and made.ranker is not None:
            made = replace(made, ranker=replace(made.ranker, booster=made.ranker.booster[:trees]))
        return registry.register_bundle(made.save(self.folder / name), run.info.run_id)


def sized(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how big the shop is."""
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=3_000_000, help="of the simulated history")
    parser.add_argument("--trees", type=int, default=150)
    parser.add_argument("--depth", type=int, default=6)
    parser.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        help="processes of the service, by default one a core",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def measured(
    name: str,
    given: argparse.Namespace,
    own: tuple[str, ...],
    measure: Callable[[Served], Mapping[str, Value]],
) -> int:
    """Build a shop in a folder that goes with it, ``measure`` and report; the exit code.

    Parameters
    ----------
    name
        Of the benchmark.
    own
        Its options beside those of :func:`sized`, which are reported with them.
    """
    try:
        with (
            # a process that was killed may still leave a file behind
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
            served(given, Path(folder)) as home,
        ):
            results = measure(home)
    except RecoError as error:
        log(f"benchmarks.{name}: {error}")
        return 1
    report(name, {option: getattr(given, option) for option in (*SIZES, *own)}, results, given.json)
    return 0


def home_in(folder: Path, workers: int) -> Settings:
    """Settings of a home in ``folder`` with ports of its own and so many workers of the service."""
    return Settings(
        home=folder / "home", redis_port=free_port(), service_port=free_port(), service_workers=workers
    )


@contextmanager
def served(given: argparse.Namespace, folder: Path) -> Iterator[Served]:
    """Simulate, fit, register, fill Redis, which ends with the block."""
    settings = home_in(folder, given.workers)
    log(f"simulating {given.events:,} events of {given.products:,} products")
    people = max(1_000, min(given.users, given.events // 20))
    shop = simulated(given.products, people, given.events, folder / "shop")
    bundle = fitted(shop, given.trees, given.depth)
    version = publish(settings, bundle, folder / "bundle")
    try:
        with open_redis(settings) as client:
            log(f"writing {given.users:,} users")
            fill(client, shop, given.users)
        yield Served(settings, folder, bundle, version, bodies_of(shop, given.users))
    finally:
        stop_redis(settings)


def bodies_of(shop: Shop, users: int) -> list[bytes]:
    """Requests of every kind for /recommend, by people that Redis knows and by strangers."""
    rng = np.random.default_rng(3)
    ids = shop.items.ids.tolist()
    popular = np.unique(shop.log.item)
    bodies = []
    for _ in range(20_000):
        stranger = rng.random() < STRANGERS
        body: dict[str, object] = {
            "user_id": f"stranger-{rng.integers(10**9)}" if stranger else f"user-{rng.integers(users)}",
            "session_id": f"s{rng.integers(10**9)}",
            "context": {"page": "home", "device": "mobile"},
            "num_recommendations": 10,
        }
        if rng.random() < TELLING:
            seen = [ids[row] for row in rng.choice(popular, 2).tolist()]
            body["context"] = {"page": "product", "device": "desktop", "products": seen}
        bodies.append(json.dumps(body).encode())
    return bodies


def publish(settings: Settings, bundle: Bundle, folder: Path) -> str:
    """Register ``bundle`` and make it champion; its version."""
    registry = Registry(settings)
    run = registry.client().create_run(registry.experiment("benchmark"))
    version = registry.register_bundle(bundle.save(folder), run.info.run_id)
    registry.promote(version, time.time_ns() // 1_000_000)
    return version


def wait_for_bundle(settings: Settings) -> None:
    """Wait until the service serves one; raises MissingDependency."""
    end = time.monotonic() + START_SECONDS
    while True:
        health = httpx.get(f"http://127.0.0.1:{settings.service_port}/health", timeout=5.0).json()
        if health["bundle"]:
            log(f"serving {health['bundle']}")
            return
        if time.monotonic() > end:
            raise MissingDependency(f"waiting for the service's bundle: {health}")
        time.sleep(0.2)
