"""What the rules after ranking cost an answer: ``python -m benchmarks.policy --products 100000``.

A shop is simulated, a bundle fitted on it, and the same people are answered in this process without rules,
under a policy file with every kind of rule, and with filters of their own, in turn.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.report import Value, log, report
from benchmarks.serving_shop import Shop, fitted, simulated, states
from reco_assets.catalogue.attributes import Columns
from reco_assets.catalogue.strings import Strings
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.policy.columns import Table
from reco_assets.recommender.policy.compiled import Compiled
from reco_assets.recommender.policy.rules import Rules
from reco_assets.recommender.recommend import recommend
from reco_assets.recommender.types import Context, Request, UserState

#: Every kind of rule; most of the catalogue stays.
FILE: Final = b"""
version = 1
filter = "price > 1 and (inventory is null or inventory > 0)"
max_per_brand = 0.4
[age]
column = "min_age"
[region]
column = "regions"
[[boosts]]
name = "margin"
when = "margin > 0.7 and inventory > 5"
multiply = 1.2
[[boosts]]
name = "slow"
when = "clicks < 2"
add = -0.05
[[promotions]]
campaign = "spring"
when = "margin > 0.9"
share = 0.2
"""
FILTERS: Final = "price < 80 and regions is null"


def main() -> int:
    """Build, answer in turn, report; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=1_000_000, help="of the simulated history")
    parser.add_argument("--people", type=int, default=1_000)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shop = simulated(given.products, max(1_000, given.events // 20), given.events, Path(folder) / "shop")
    bundle = with_columns(fitted(shop, trees=150, depth=6))
    parameters: dict[str, Value] = {name: getattr(given, name) for name in ("products", "events", "people")}
    report("policy", parameters, measured(shop, bundle, given.people), given.json)
    return 0


def with_columns(bundle: Bundle) -> Bundle:
    """``bundle`` with columns of the shop's own, drawn from a seed."""
    rng, n = np.random.default_rng(4), len(bundle.items)
    least = np.where(rng.random(n) < 0.95, np.nan, 18.0).astype(np.float32)
    regions = np.where(rng.random(n) < 0.9, -1, rng.integers(0, 3, n)).astype(np.int32)
    own = Columns(
        {"margin": rng.random(n).astype(np.float32), "min_age": least},
        {"regions": (regions, Strings.of(["at", "de|at", "nl"]))},
    )
    return replace(bundle, items=replace(bundle.items, columns=own))


def measured(shop: Shop, bundle: Bundle, people: int) -> dict[str, Value]:
    """Median times of an answer, and of what is done once for a file, an epoch or a filter."""
    compile_ms = _ms(lambda: Rules.read(FILE, bundle, "policy.toml"))
    ruled = Rules.read(FILE, bundle, "policy.toml")
    epoch_ms = _ms(lambda: _epoch(bundle, ruled))
    rules = ruled.now()
    bare = Rules(bundle).now()
    first = Request(filters=FILTERS)
    filters_first_ms = _ms(lambda: Compiled(Table(bundle), bundle.policy).within(first))
    rng = np.random.default_rng(5)
    known = states(shop, rng.choice(len(shop.log.user_ids), min(people, len(shop.log.user_ids)), False))
    context = Context(age=30, region="de")
    kinds: dict[str, tuple[Compiled, Request]] = {
        "plain": (bare, Request(context=context)),
        "file": (rules, Request(context=context)),
        "filters": (bare, Request(context=context, filters=FILTERS)),
        "both": (rules, Request(context=context, filters=FILTERS)),
    }
    log(f"answering {len(known):,} people {len(kinds)} times")
    times: dict[str, list[float]] = {name: [] for name in kinds}
    turns = list(kinds.items())
    for number, person in enumerate([*known[:50], *known]):
        # whoever comes first finds the person's products in no cache
        turns.append(turns.pop(0))
        for name, (told, request) in turns:
            started = time.perf_counter()
            _answered(told, request, person, bundle, shop.now)
            if number >= 50:  # the first compile and page in
                times[name].append(time.perf_counter() - started)
    found: dict[str, Value] = {f"{name}_p50_us": round(_median(took) * 1e6) for name, took in times.items()}
    for name in ("file", "filters", "both"):
        more = np.array(times[name]) - np.array(times["plain"])
        found[f"{name}_more_p50_us"] = round(float(np.median(more)) * 1e6)
    return found | {"compile_ms": compile_ms, "epoch_ms": epoch_ms, "filters_first_ms": filters_first_ms}


def _epoch(bundle: Bundle, rules: Rules) -> None:
    """One product has changed, and the rules follow."""
    bundle.update_products(np.zeros(1, np.int32), bundle.product_matrix[:1].copy())
    rules.now()


def _answered(rules: Compiled, request: Request, person: UserState, bundle: Bundle, now: int) -> None:
    recommend(request, person, bundle, rules.policy, now, rules=rules)


def _ms(once: Callable[[], object], repeat: int = 20) -> float:
    took = []
    for _ in range(repeat):
        started = time.perf_counter()
        once()
        took.append(time.perf_counter() - started)
    return round(_median(took) * 1e3, 2)


def _median(took: Sequence[float]) -> float:
    return float(np.median(took))


if __name__ == "__main__":
    sys.exit(main())
