"""A served shop for measurements: a simulated history, a fitted bundle with a ranker, users in Redis."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import redis

from benchmarks.report import Stopwatch, log
from reco_assets.candidates.habits import habits_of, midnight
from reco_assets.candidates.sources import Candidates, Sources
from reco_assets.catalogue.items import ItemTable, item_table
from reco_assets.events.contract import EventType
from reco_assets.features.catalogue import PRODUCT_FEATURES, USER_FEATURES, catalogue_hash, names
from reco_assets.interactions.log import InteractionLog, interaction_log
from reco_assets.online.habits import habit_values, write_habits
from reco_assets.online.materialise import write_users
from reco_assets.ranking.examples import Examples
from reco_assets.ranking.lambdamart import RankerParameters, train_ranker
from reco_assets.recommender.bundle import Bundle, Manifest
from reco_assets.recommender.ranker import Ranker
from reco_assets.recommender.recommend import features_of, propose
from reco_assets.recommender.types import RECENT, Floats, Policy, Request, UserState
from reco_assets.simulator.parameters import Parameters
from reco_assets.simulator.shop import simulate

#: Decisions that the ranker is trained on; enough for full-grown trees.
DECISIONS: Final = 1_500
#: Users written to Redis at a time.
SLICE: Final = 100_000
_TIME: Final = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class Shop:
    """A simulated history in the forms that a bundle and the online store are made from."""

    items: ItemTable
    log: InteractionLog
    folder: Path

    @property
    def now(self) -> int:
        """UTC microseconds after the last event."""
        return int(self.log.time.max()) + 1


def simulated(products: int, users: int, events: int, folder: Path) -> Shop:
    """A shop with ``products`` products and as many events as asked."""
    simulate(Parameters(products=products, users=users, events=events, days=30, seed=1), folder)
    observed = pl.read_parquet(folder / "products.parquet").sort("product_id", "observed_at")
    rows = observed.group_by("product_id", maintain_order=True).agg(
        pl.exclude("observed_at").last(), pl.col("observed_at").first().alias("valid_from")
    )
    items = item_table(rows)
    return Shop(items, interaction_log(pl.scan_parquet(folder / "events" / "*.parquet"), items), folder)


def product_matrix(shop: Shop) -> Floats:
    """``float32[n, features]`` of the products over the whole history; some columns are 0."""
    counts = {
        kind: np.bincount(shop.log.item[shop.log.kind == kind], minlength=len(shop.items)).astype(np.float32)
        for kind in (EventType.click, EventType.add_to_cart, EventType.purchase)
    }
    clicks, carts, bought = counts.values()
    values = {
        "popularity_score": np.log1p(clicks + 3 * carts + 10 * bought),
        "conversion_rate": (bought + 1) / (clicks + 50),
        "clicks": clicks,
        "purchases": bought,
        "add_to_carts": carts,
        "price": shop.items.price,
        "inventory_level": shop.items.inventory,
    }
    empty = np.zeros(len(shop.items), np.float32)
    return np.stack([values.get(name, empty) for name in names(PRODUCT_FEATURES)], axis=1).astype(np.float32)


def states(shop: Shop, users: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[UserState]:
    """The states of ``users`` (rows of the log) at the end of the history."""
    bounds = shop.log.user_bounds
    found = []
    night = midnight(shop.now)
    for user in users.tolist():
        low, high = int(bounds[user]), int(bounds[user + 1])
        own = slice(max(low, high - RECENT), high)
        habits = habits_of(shop.log, np.asarray(shop.items.keys), user, night)
        bought = shop.log.item[low:high][shop.log.kind[low:high] == EventType.purchase]
        features = np.zeros(len(USER_FEATURES), np.float32)
        features[: min(2, len(features))] = high - low
        events = (shop.log.item[own], shop.log.kind[own], shop.log.time[own])
        found.append(UserState(features, -1, *events, np.unique(bought), habits))
    return found


def fitted(shop: Shop, trees: int, depth: int) -> Bundle:
    """A bundle with every source fitted on the history and a ranker of ``trees`` trees."""
    with Stopwatch() as watch:
        sources = Sources.fit(shop.log, shop.items, shop.now, lambda name: log(f"  fitting {name}"))
    log(f"sources fitted in {watch.seconds:.1f} s")
    manifest = Manifest("benchmark", shop.now, shop.now, catalogue_hash())
    bundle = Bundle(manifest, shop.items, sources, product_matrix(shop), ranker=None)
    with Stopwatch() as watch:
        ranker = _ranker(shop, bundle, trees, depth)
    log(f"ranker trained in {watch.seconds:.1f} s")
    return Bundle(manifest, shop.items, sources, bundle.product_matrix, ranker)


def _ranker(shop: Shop, bundle: Bundle, trees: int, depth: int) -> Ranker:
    """Trained on real matrices; the labels follow the sources' scores with noise, so the trees grow."""
    rng = np.random.default_rng(2)
    people = rng.choice(len(shop.log.user_ids), min(DECISIONS, len(shop.log.user_ids)), replace=False)
    features, grades, numbers = [], [], []
    now = shop.now
    for number, state in enumerate(states(shop, people)):
        past, candidates = propose(Request(), state, bundle, Policy(), now)
        keep = np.sort(rng.choice(len(candidates.items), min(100, len(candidates.items)), replace=False))
        kept = Candidates(candidates.items[keep], candidates.scores[keep])
        liking = np.log1p(np.maximum(kept.scores, 0.0)).sum(axis=1) + rng.gumbel(size=len(keep))
        grade = np.zeros(len(keep), np.int8)
        grade[np.argsort(-liking)[:5]] = (3, 2, 1, 1, 1)
        features.append(features_of(Request(), state, past, kept, bundle, now))
        grades.append(grade)
        numbers.append(np.full(len(keep), number, np.int32))
    whole = Examples(
        np.concatenate(features),
        np.concatenate(grades),
        np.concatenate(numbers),
        np.zeros(len(np.concatenate(grades)), np.int32),
        np.zeros(len(numbers), np.int64),
        np.zeros(len(numbers), np.int32),
    )
    parameters = RankerParameters(trees, max_depth=depth, patience=trees)
    return train_ranker(whole, whole, parameters, threads=0).ranker


def fill(client: redis.Redis, shop: Shop, users: int) -> dict[str, float]:
    """Write ``users`` users ``user-0``, ``user-1``... who each live one of the simulated histories again."""
    log_frame = pl.DataFrame(
        {
            "user": shop.log.user,
            "product_key": shop.items.keys[shop.log.item],
            "kind": shop.log.kind,
            "at": shop.log.time,
        }
    )
    recent = log_frame.group_by("user", maintain_order=True).tail(RECENT)
    bought = (
        log_frame.filter(pl.col("kind") == int(EventType.purchase))
        .group_by("user", maintain_order=True)
        .agg(pl.col("product_key").unique(maintain_order=True).tail(32).alias("products"))
    )
    features = log_frame.group_by("user").agg(
        pl.len().alias("total_events"),
        (pl.col("kind") == int(EventType.click)).sum().alias("clicks"),
        (pl.col("kind") == int(EventType.purchase)).sum().alias("purchases"),
        pl.col("at").min().cast(_TIME).alias("first_event_time"),
        pl.col("at").max().cast(_TIME).alias("last_event_time"),
    )
    missing = [name for name in names(USER_FEATURES) if name not in features.columns]
    features = features.with_columns(
        *(pl.lit(1.0).alias(name) for name in missing),
        pl.lit(shop.items.category_names[0]).alias("favorite_category"),
    )
    lives = len(shop.log.user_ids)
    habits = dict(habit_values(shop.log, shop.items, midnight(shop.now)))
    of_lives = [habits.get(user_id) for user_id in shop.log.user_ids]
    before = client.info("memory")["used_memory"]
    with Stopwatch() as watch:
        for start in range(0, users, SLICE):
            numbers = np.arange(start, min(start + SLICE, users), dtype=np.int64)
            people = pl.DataFrame(
                {"user": (numbers % lives).astype(np.int32), "user_id": [f"user-{k}" for k in numbers]}
            )
            write_users(
                client,
                people.join(features, on="user", how="left").drop("user"),
                people.join(recent, on="user", how="inner").drop("user"),
                people.join(bought, on="user", how="inner").drop("user"),
                ttl_days=30,
            )
            known = ((f"user-{k}", of_lives[k % lives]) for k in numbers.tolist())
            write_habits(client, ((name, value) for name, value in known if value is not None), ttl_days=30)
            log(f"  {numbers[-1] + 1:,} users in Redis")
    while client.info("persistence")["aof_rewrite_in_progress"]:
        time.sleep(0.2)  # until then what is written meanwhile is in memory twice
    grown = client.info("memory")["used_memory"] - before
    return {
        "redis_mb_per_million_users": round(grown / users, 1),
        "users_written_per_second": round(users / watch.seconds),
        "recent_events_mean": round(recent.height / lives, 2),
        "users_with_habits_share": round(len(habits) / lives, 3),
        "bought_products_mean": round(float(bought["products"].list.len().sum()) / lives, 2),
    }
