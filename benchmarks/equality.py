"""Whether training computes what the service computed: ``python -m benchmarks.equality --json``.

A simulated shop goes through the whole graph and is served; visitors send events and are answered while
``reco stream`` follows. Then every logged decision is made again by the training path, from the tables
alone, and its candidates, its features and its answer are compared to the bit with what the service
noted of them. A difference is counted by its cause.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import polars as pl

from benchmarks.equality_load import Visitors
from benchmarks.report import Value, log, report
from benchmarks.streaming_home import (
    environment_of,
    last_micro_batch,
    private,
    running,
)
from benchmarks.supervised import Waiting
from reco_assets.errors import MissingDependency, RecoError
from reco_assets.events.decided import Asker, Decided, decode
from reco_assets.events.decision_rows import DECISIONS
from reco_assets.features.windows import WATERMARK_US, WINDOW_US
from reco_assets.interactions.history import load_history
from reco_assets.online.habits import made_at
from reco_assets.online.mark import read_mark
from reco_assets.platform.duckdb_engine import DuckDBEngine
from reco_assets.platform.lake import Lake, open_lake
from reco_assets.platform.redis import connect
from reco_assets.platform.registry import Registry
from reco_assets.platform.settings import Settings
from reco_assets.ranking.logged import Logged, relived
from reco_assets.recommender.asked import RecommendRequest, resolved
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.digest import VERSION, Digest
from reco_assets.recommender.policy.compiled import Compiled
from reco_assets.recommender.policy.kept import rules_of
from reco_assets.recommender.policy.rules import Rules
from reco_assets.recommender.recommend import recommend
from reco_assets.recommender.types import UserState
from reco_serving.contract import read
from reco_serving.evidence import Watched
from reco_serving.ladder import FULL, NO_RANKER
from reco_serving.state import Packed, unpack

STREAM_SECONDS: Final = 2.0
#: The rules after ranking that the service has: every kind of them.
POLICY: Final = b"""\
version = 1
filter = "price is null or price > 1"
max_per_brand = 0.5
[[boosts]]
name = "cheap"
when = "price < 50"
multiply = 1.2
[[promotions]]
campaign = "popular"
when = "clicks > 20"
share = 0.1
"""
#: Questions a second where nothing else decides.
RATE: Final = 150.0
#: Seconds that the questions go on after a window has closed.
_AFTER_SECONDS: Final = 15.0


def main() -> int:
    """Build, serve, ask, compare; the exit code is not 0 where a decision differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--decisions", type=int, default=10_000)
    parser.add_argument("--users", type=int, default=2_000)
    parser.add_argument("--products", type=int, default=1_500)
    parser.add_argument("--days", type=int, default=20, help="of the simulated history")
    parser.add_argument("--closings", type=int, default=1, help="ends of 5-minute windows to be asked across")
    parser.add_argument("--late", type=float, default=0.0, help="share of events that come late")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    told = ("decisions", "users", "products", "days", "closings", "late", "seed")
    parameters = {name: getattr(given, name) for name in told}
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            results = run(Path(folder), **parameters)
    except RecoError as error:
        log(f"benchmarks.equality: {error}")
        return 1
    report("equality", parameters, results, given.json)
    return 1 if results["different"] else 0


def run(
    folder: Path,
    *,
    decisions: int,
    users: int,
    products: int,
    days: int,
    closings: int,
    late: float,
    seed: int,
) -> dict[str, Value]:
    """How many of ``decisions`` are made again as they were, and why the others are not."""
    settings = private(folder, STREAM_SECONDS).model_copy(update={"decision_evidence": 1.0})
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date()
    landing = str(settings.home / "landing")
    size = ("--users", str(users), "--products", str(products), "--days", str(days), "--seed", str(seed))
    _reco(settings, "simulate", *size, "--end", str(yesterday), landing)
    _reco(settings, "materialize")
    settings.policy_file.write_bytes(POLICY)
    champion = Registry(settings).champion()
    if champion is None:
        raise MissingDependency("serving the shop: no bundle was promoted")
    bundle = Bundle.load(champion.folder)
    lake = open_lake(settings)
    people = lake.scan("silver/interactions").select(pl.col("user_id").unique().sort()).collect()["user_id"]
    with running(settings, folder) as home:
        with connect(settings) as store:
            still, before = Waiting(300.0, "no micro-batch has come", 0.2), time.time()
            while still((mark := read_mark(store)) is None or mark.at.timestamp() < before):
                pass
        visitors = Visitors(
            port=settings.service_port,
            users=people.to_list(),
            products=bundle.items.ids.tolist(),
            categories=bundle.items.category_names.tolist(),
            decisions=decisions,
            until=time.monotonic() + _seconds(decisions, closings),
            late=late,
            seed=seed,
        )
        started = time.monotonic()
        visitors.run()
        log(f"{decisions:,} answers and {visitors.events:,} events in {time.monotonic() - started:.0f} s")
        home.service.end()  # it writes its last records
        home.follower.end()
        last_micro_batch(settings)
    found = compared(lake, bundle, settings.policies_folder)
    return found | {"events": visitors.events, "ranks_by_ranker": bundle.ranker is not None}


def compared(lake: Lake, bundle: Bundle, policies: Path) -> dict[str, Value]:
    """Every decision of ``lake`` with evidence, made again by the training path under its policy."""
    laws = cache(lambda digest: rules_of(policies, digest, bundle))
    records = lake.scan(DECISIONS).select("record").collect()["record"].to_list()
    every = [decode(record) for record in records]
    # what was answered without the online store says so, and is no moment of anybody
    reached = [(one, asker) for one, asker in every if one.reached]
    # in haste popular products answer, without candidates and features
    made = [(one, asker) for one, asker in reached if one.rung in (FULL, NO_RANKER)]
    with closing(DuckDBEngine(lake)) as engine:
        found = _causes(lake, engine, bundle, made, laws)
        again = [number for number, cause in enumerate(found) if cause == "user values"]
        # a refresh that was under way had already written the person, and had not yet said so
        during = _at_the_next_refresh(lake, engine, bundle, made, laws, again)
    for number, cause in zip(again, during, strict=True):
        found[number] = cause
    causes = Counter(cause for cause in found if cause)
    evidence = [one.evidence for one, _ in made if one.evidence is not None]
    lags = [
        _closed(one.now_us) - _closed(max(one.evidence.users_at, one.evidence.products_at))
        for one, _ in made
        if one.evidence
    ]
    return {
        "decisions": len(made),
        "without_store": len(every) - len(reached),
        "without_candidates": len(reached) - len(made),
        "equal": sum(not cause for cause in found),
        "different": sum(causes.values()),
        "causes": dict(sorted(causes.items())),
        "during_a_refresh": sum(not cause for cause in during),
        "before_a_closed_window_was_served": sum(lag > 0 for lag in lags),
        "refreshes_seen": len({one.users_at for one in evidence}),
        "windows_closed_meanwhile": max(map(_closed, (d.now_us for d, _ in made)), default=0)
        - min(map(_closed, (d.now_us for d, _ in made)), default=0),
        "pending_states": sum(one.pending_state is not None for one, _ in made),
        "users": len({asker.user for _, asker in made}),
        "rungs": dict(Counter(one.rung for one, _ in made)),
        "evidence_bytes": round(float(np.mean([len(one.columns) + 28 for one in evidence] or [0]))),
    }


Made = Sequence[tuple[Decided, Asker]]
#: The rules that a digest names.
Laws = Callable[[str], Rules]


def _at_the_next_refresh(
    lake: Lake, engine: DuckDBEngine, bundle: Bundle, made: Made, laws: Laws, numbers: Sequence[int]
) -> list[str]:
    if not numbers:
        return []
    marks = sorted({one.evidence.users_at for one, _ in made if one.evidence})
    later = []
    for number in numbers:
        one, asker = made[number]
        assert one.evidence is not None, "it was compared"
        place = int(np.searchsorted(marks, one.evidence.users_at, side="right"))
        at = marks[min(place, len(marks) - 1)]
        later.append((_with_users_at(one, at), asker))
    return _causes(lake, engine, bundle, later, laws)


def _with_users_at(one: Decided, at: int) -> Decided:

    assert one.evidence is not None, "it was compared"
    return msgspec.structs.replace(one, evidence=msgspec.structs.replace(one.evidence, users_at=at))


def _causes(lake: Lake, engine: DuckDBEngine, bundle: Bundle, made: Made, laws: Laws) -> list[str]:
    """For each decision why it differs; empty where it does not."""
    causes = [_incomparable(one, bundle) for one, _ in made]
    numbers = [number for number, cause in enumerate(causes) if not cause]
    asked = []
    for number in numbers:
        one, asker = made[number]
        seen = one.evidence
        assert seen is not None, "else it cannot be compared"
        habits_at = made_at(one.habits_state) if one.habits_state is not None else 0
        users_at = max(seen.users_at, seen.products_at)
        asked.append(Logged(asker.user, one.now_us, users_at, seen.products_at, habits_at))
    arrived = _arrivals(lake)
    for again in relived(engine, lake, load_history(lake), bundle, asked):
        number = numbers[again.number]
        one, asker = made[number]
        causes[number] = _cause(one, asker, again.state, bundle, laws(one.policy).now(), arrived)
    return causes


def _incomparable(one: Decided, bundle: Bundle) -> str:
    if one.bundle != bundle.version:
        return "another bundle"
    if one.evidence is None or one.evidence.version != VERSION or not one.evidence.products_at:
        return "no evidence"
    return ""


@dataclass(frozen=True)
class _Arrived:
    """When the stream took each event, by user and by the event's own time, UTC microseconds."""

    by_event: dict[tuple[str, int], int]

    def late(self, user: str, times: Sequence[int], now: int) -> bool:
        """Whether one of the user's events at ``times`` came when the answer had been given."""
        return any(self.by_event.get((user, at), 0) > now for at in times)


def _arrivals(lake: Lake) -> _Arrived:
    rows = (
        lake.scan("raw/events")
        .filter(pl.col("delivery").str.starts_with("stream:"))
        .select(
            "user_id",
            pl.col("timestamp").dt.timestamp("us"),
            pl.col("ingested_at").dt.timestamp("us").alias("arrived"),
        )
        .collect()
    )
    return _Arrived({(user, at): arrived for user, at, arrived in rows.iter_rows()})


def _cause(
    one: Decided, asker: Asker, state: UserState, bundle: Bundle, rules: Compiled, arrived: _Arrived
) -> str:
    """Why the answer made again from ``state`` differs from what is logged; empty where it does not."""
    assert one.evidence is not None, "else it cannot be compared"
    request = resolved(read(RecommendRequest, one.request), bundle, one.seed)
    watched = Watched()
    policy = rules.policy.changed(one.policy_changes)
    # whoever was in haste was answered in the order of the blend, which has the same features
    ranking = bundle if one.rung == FULL else replace(bundle, ranker=None)
    decision = recommend(request, state, ranking, policy, one.now_us, watched, rules)
    digest, logged = watched.digest, Digest(one.evidence.candidates, one.evidence.columns)
    answer = [(bundle.items.ids[shown.item], shown.score, shown.source) for shown in decision.recommendations]
    if digest == logged and answer == list(zip(one.products, one.scores, one.sources, strict=True)):
        return ""
    had, _ = unpack(Packed(one.user_state, one.pending_state, one.session_state), bundle.items)
    told = set(_events(state)) - set(_events(had))
    if _events(state) != _events(had):
        late = arrived.late(asker.user, [at for _, _, at in told], one.now_us)
        return "events that came after the answer" if late else "recent events"
    if sorted(state.bought.tolist()) != sorted(had.bought.tolist()):
        return "bought products"
    if state.favorite_category != had.favorite_category:
        return "user values"
    if state.features.tobytes() != had.features.tobytes():
        return "user values"
    assert digest is not None, "the witness was told"
    differing = digest.differing(logged)
    if any(name.startswith("product_") for name in differing):
        return "product values"
    if digest.candidates != logged.candidates:
        return "candidates"
    return f"features: {', '.join(differing)}" if differing else "answer"


def _events(state: UserState) -> list[tuple[int, int, int]]:
    return list(zip(state.items.tolist(), state.kinds.tolist(), state.times.tolist(), strict=True))


def _closed(at: int) -> int:
    """Number of the last window that counts as closed at ``at``."""
    return (at - WATERMARK_US) // WINDOW_US


def _seconds(decisions: int, closings: int) -> float:
    """Seconds over which the questions are spread, so that as many windows close meanwhile."""
    least = decisions / RATE
    if not closings:
        return 0.0
    to_next = (WINDOW_US - (time.time_ns() // 1000 - WATERMARK_US) % WINDOW_US) / 1e6
    return max(least, to_next + (closings - 1) * WINDOW_US / 1e6 + _AFTER_SECONDS)


def _reco(settings: Settings, *arguments: str) -> None:
    """Run ``reco``, which must succeed."""
    command = [sys.executable, "-m", "reco_assets.cli.main", *arguments, "--json"]
    environment = environment_of(settings) | {"DAGSTER_HOME": str(settings.home / "dagster")}
    started = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MissingDependency(f"reco {arguments[0]}: {done.stdout[-1000:]} {done.stderr[-2000:]}")
    log(f"reco {arguments[0]}: {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
