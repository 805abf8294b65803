"""How fast the live service answers: ``python -m benchmarks.serving --products 100000 --users 1000000``.

A shop is simulated, a bundle fitted on it and registered, its users written to a private embedded
Redis, the service started as a process of its own, and asked over HTTP by another.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Final

import httpx
import numpy as np

from benchmarks.load import closed_loop, open_loop
from benchmarks.process import process
from benchmarks.report import Value, log, process_tree, report, rss_mb
from benchmarks.served import SIZES, bodies_of, home_in, publish, sized, wait_for_bundle
from benchmarks.serving_shop import Shop, fill, fitted, simulated, states
from reco_assets.errors import MissingDependency, RecoError
from reco_assets.features.catalogue import RANKING_FEATURES
from reco_assets.platform.redis import open_redis, stop_redis
from reco_assets.platform.settings import Settings
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.policy.document import digest_of
from reco_assets.recommender.recommend import features_of, propose, recommend
from reco_assets.recommender.types import Request

#: Every worker has looked at its policy file after so long.
_POLICY_SECONDS: Final = 3.0


def main() -> int:
    """Build, fill, start, measure; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    sized(parser)
    parser.add_argument("--duration", type=float, default=30.0, help="seconds of each measurement")
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second of the open loop")
    parser.add_argument(
        "--candidates", type=int, nargs="*", default=[500, 1000], help="ranked in further runs, one at a time"
    )
    given = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            results = _measure(given, Path(folder))
    except RecoError as error:
        log(f"benchmarks.serving: {error}")
        return 1
    own = (*SIZES, "duration", "rate", "candidates")
    parameters: dict[str, Value] = {name: getattr(given, name) for name in own}
    report("serving", parameters, results, given.json)
    return 0


def _measure(given: argparse.Namespace, folder: Path) -> dict[str, Value]:
    settings = home_in(folder, given.workers)
    log(f"simulating {given.events:,} events of {given.products:,} products")
    people = max(1_000, min(given.users, given.events // 20))
    shop = simulated(given.products, people, given.events, folder / "shop")
    bundle = fitted(shop, given.trees, given.depth)
    publish(settings, bundle, folder / "bundle")
    results: dict[str, Value] = {}
    try:
        with open_redis(settings) as client:
            log(f"writing {given.users:,} users")
            results |= fill(client, shop, given.users)
        bodies = bodies_of(shop, given.users)
        results |= _inside(shop, bundle)
        with process("benchmarks.empty_service:Empty", settings.service_port) as _:
            empty = closed_loop(settings.service_port, "/empty", bodies, 1, min(5.0, given.duration))
        log(f"empty endpoint: p50 {empty.percentile(50)} ms")
        with process(None, settings.service_port, settings) as service:
            wait_for_bundle(settings)
            results |= _outside(given, settings, bodies)
            worker = _worker(service.pid)
            results["worker_rss_mb"] = round(rss_mb(worker), 1)
            results["service_rss_mb"] = round(rss_mb(service.pid), 1)
            for most in given.candidates:
                results |= _ranking(most, settings, bodies, given.duration)
                results[f"candidates_{most}_median"] = _proposed(shop, bundle, most)
    finally:
        stop_redis(settings)
    p50 = results["c1_p50_ms"]
    assert isinstance(p50, float)
    results["empty_endpoint_p50_ms"] = empty.percentile(50)
    results["p50_vs_empty"] = round(p50 / empty.percentile(50), 2)
    return results


def _outside(given: argparse.Namespace, settings: Settings, bodies: Sequence[bytes]) -> dict[str, Value]:
    """What a client sees."""
    port, seconds = settings.service_port, given.duration
    closed_loop(port, "/recommend", bodies, 2, min(5.0, seconds))  # warm
    before = _stages(port)
    one = closed_loop(port, "/recommend", bodies, 1, seconds)
    after = _stages(port)
    log(f"concurrency 1: p50 {one.percentile(50)}, p99 {one.percentile(99)} ms, {one.per_second()}/s")
    eight = closed_loop(port, "/recommend", bodies, 8, seconds)
    log(f"concurrency 8: p50 {eight.percentile(50)}, p99 {eight.percentile(99)} ms, {eight.per_second()}/s")
    steady = open_loop(port, "/recommend", bodies, given.rate, seconds)
    failed = Counter(status for outcome in (one, eight, steady) for status in outcome.failed)
    if failed:
        log(f"answers without a list, by status: {dict(failed)}")
    log(f"{given.rate:.0f}/s: p50 {steady.percentile(50)}, p99 {steady.percentile(99)} ms")
    spent: dict[str, Value] = {
        f"stage_{stage}_ms": round(
            (after[stage][0] - before[stage][0]) / max(after[stage][1] - before[stage][1], 1) * 1e3, 3
        )
        for stage in after
    }
    return {
        "c1_p50_ms": one.percentile(50),
        "c1_p95_ms": one.percentile(95),
        "c1_p99_ms": one.percentile(99),
        "c1_rps": one.per_second(),
        "c8_p50_ms": eight.percentile(50),
        "c8_p95_ms": eight.percentile(95),
        "c8_p99_ms": eight.percentile(99),
        "c8_rps": eight.per_second(),
        "open_loop_p50_ms": steady.percentile(50),
        "open_loop_p95_ms": steady.percentile(95),
        "open_loop_p99_ms": steady.percentile(99),
        "errors": sum(failed.values()),
        **spent,
    }


def _ranking(most: int, settings: Settings, bodies: Sequence[bytes], seconds: float) -> dict[str, Value]:
    """What a client sees, one at a time, where the shop's policy lets so many candidates be ranked."""
    text = f"version = 1\ncandidates = {most}\n".encode()
    settings.policy_file.write_bytes(text)
    time.sleep(_POLICY_SECONDS)
    health = httpx.get(f"http://127.0.0.1:{settings.service_port}/health", timeout=5.0).json()
    if health["policy"] != digest_of(text):
        raise MissingDependency(f"the service does not take the policy: {health['missing']}")
    closed_loop(settings.service_port, "/recommend", bodies, 2, min(2.0, seconds))
    one = closed_loop(settings.service_port, "/recommend", bodies, 1, seconds)
    log(f"{most} candidates: p50 {one.percentile(50)}, p99 {one.percentile(99)} ms")
    return {
        f"candidates_{most}_p50_ms": one.percentile(50),
        f"candidates_{most}_p99_ms": one.percentile(99),
        f"candidates_{most}_errors": one.errors,
    }


def _proposed(shop: Shop, bundle: Bundle, most: int) -> float:
    """How many candidates a person has who may have ``most``, in the middle."""
    policy = replace(bundle.policy, candidates=most)
    known = states(shop, np.arange(min(50, len(shop.log.user_ids))))
    found = [propose(Request(), state, bundle, policy, shop.now)[1] for state in known]
    return float(median(len(one.items) for one in found))


def _inside(shop: Shop, bundle: Bundle) -> dict[str, Value]:
    """Where the time of a decision goes, measured in this process."""
    rng = np.random.default_rng(9)
    people = rng.choice(len(shop.log.user_ids), min(400, len(shop.log.user_ids)), replace=False)
    known = states(shop, people)
    spent: dict[str, list[float]] = {"propose": [], "features": [], "rank": [], "recommend": []}
    candidates, now = [], shop.now
    ranker = bundle.ranker
    assert ranker is not None
    for state in known[:50]:
        recommend(Request(), state, bundle, bundle.policy, now)
    for state in known:
        marks = [time.perf_counter()]
        past, found = propose(Request(), state, bundle, bundle.policy, now)
        marks.append(time.perf_counter())
        matrix = features_of(Request(), state, past, found, bundle, now)
        marks.append(time.perf_counter())
        ranker.score(matrix)
        marks.append(time.perf_counter())
        recommend(Request(), state, bundle, bundle.policy, now)
        marks.append(time.perf_counter())
        for name, taken in zip(spent, np.diff(marks).tolist(), strict=True):
            spent[name].append(taken * 1e3)
        candidates.append(len(found.items))
    return {
        "candidates_median": float(median(candidates)),
        "features": len(RANKING_FEATURES),
        **{f"inside_{name}_p50_ms": round(median(taken), 3) for name, taken in spent.items()},
    }


def _worker(service: int) -> int:
    """The process that answers: the service's child with the most memory."""
    return max(process_tree(service)[1:] or [service], key=_own_rss)


def _own_rss(process: int) -> int:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1])


def _stages(port: int) -> dict[str, tuple[float, float]]:
    """Seconds and number of observations of each stage, from the service's own metrics."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10.0).text
    found: dict[str, dict[str, float]] = {}
    pattern = r'^reco_stage_seconds_(sum|count)\{.*stage="(\w+)".*\} (\S+)$'
    for what, stage, value in re.findall(pattern, text, re.MULTILINE):
        told = found.setdefault(stage, {"sum": 0.0, "count": 0.0})
        told[what] += float(value)  # over all rungs
    return {stage: (values["sum"], values["count"]) for stage, values in found.items()}


if __name__ == "__main__":
    sys.exit(main())
