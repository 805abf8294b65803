"""A harmful variant on the whole road: records in the stream, the lake's tables, the guard.

Answers are written to the stream of decisions as the service writes them, what shoppers did is imported
as a file, and after each day the functions behind the assets are run.
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from benchmarks.experiment_shoppers import ARMS, Lived, Shown
from benchmarks.experiment_trials import GUARDRAILS, METRICS, PLANNED
from benchmarks.streaming_home import private
from reco_assets.events.adapters.parquet import Parquet
from reco_assets.events.contract import EVENT_SCHEMA
from reco_assets.events.decided import PARTITIONS, STREAM, VERSION, Decided, Exposure, encode
from reco_assets.events.decisions import drain_all_decisions
from reco_assets.events.importer import import_files
from reco_assets.experiments.assignment import bucket, held
from reco_assets.experiments.board import start
from reco_assets.experiments.definition import LAYER, Experiment, Variant
from reco_assets.experiments.store import Store
from reco_assets.experiments.tables import build_exposures, build_results, guard
from reco_assets.interactions.outcomes import build_attributions, build_impressions
from reco_assets.interactions.pipeline import build_interactions
from reco_assets.platform.duckdb_engine import DuckDBEngine
from reco_assets.platform.lake import Lake, open_lake
from reco_assets.platform.redis import open_redis, stop_redis
from reco_assets.platform.streams.redis_stream import RedisStream
from reco_assets.simulator.parameters import DAY_US

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HARMFUL: Final = ARMS.index("harmful")
_NAME: Final = "harmful"
_PRODUCTS: Final = {
    **dict.fromkeys(("product_id", "title", "category", "brand"), pl.String()),
    "price": pl.Float64(),
    "inventory": pl.Int64(),
    **dict.fromkeys(("valid_from", "valid_to"), pl.Datetime("us", "UTC")),
}


@dataclass(frozen=True)
class Stopped:
    """After how many days the variant was stopped (None: never), why, and on how many answers that rests."""

    days: int | None
    reason: str
    answers: int


def stopped_on_the_road(folder: Path, lived: Lived, days_before: int) -> Stopped:
    """Live the visits after the first ``days_before`` days until the guard stops the harmful variant."""
    settings = private(folder, stream_seconds=10.0)
    lake = open_lake(settings)
    lake.append("silver/products", pl.DataFrame(schema=_PRODUCTS).to_arrow())
    began = lived.parameters.start_us + days_before * DAY_US
    made = Experiment(
        name=_NAME,
        variants=(Variant("control"), Variant("treatment", policy={"explore": 1.0})),
        metrics=METRICS,
        guardrails=GUARDRAILS,
        planned=PLANNED,
    )
    try:
        with open_redis(settings) as client, closing(DuckDBEngine(lake, memory_gb=2.0)) as engine:
            store = Store.of(settings, client)
            board = store.change("started", began, lambda old: start(old, made, (0.5, 0.5), began))
            treated = held(board.experiments[0].variants[1].buckets)
            stream = RedisStream(client, STREAM, PARTITIONS, 1_000_000)
            answers = 0
            for number in range(days_before, lived.parameters.days):
                day = lived.parameters.day(number)
                which = np.flatnonzero(lived.time // DAY_US == (day - date(1970, 1, 1)).days).tolist()
                answers += len(which)
                _tell(lake, stream, lived, which, treated, folder / f"{day}.parquet")
                build_interactions(engine, day, day)
                build_attributions(engine, day, day)
                build_impressions(engine, day, day)
                build_exposures(lake, day, day)
                _, known = build_results(lake, store.read(), day, day)
                if guard(store, known, began + (number - days_before + 1) * DAY_US):
                    reason = store.read().experiment(_NAME).reason
                    return Stopped(number - days_before + 1, reason, answers)
            return Stopped(None, "", answers)
    finally:
        stop_redis(settings)


def _tell(
    lake: Lake, stream: RedisStream, lived: Lived, visits: list[int], treated: np.ndarray, path: Path
) -> None:
    """Records of the answers of ``visits`` into the stream and the lake, and what was done as a file."""
    records, events = [], []
    for visit in visits:
        user, time = f"u{lived.user[visit]}", int(lived.time[visit])
        inside = bool(treated[bucket(LAYER, user)])
        shown = lived.shown[visit][_HARMFUL if inside else 0]
        if not shown.products:
            continue
        name = f"r{visit}"
        records.append((user, encode(_decided(name, user, time, shown, inside))))
        events += _events(name, user, time, shown)
    stream.append(records)
    drain_all_decisions(lake, stream)
    pl.DataFrame(events, schema=EVENT_SCHEMA, orient="row").write_parquet(path)
    import_files(lake, Parquet(), [path], datetime.now(UTC))


def _decided(name: str, user: str, time: int, shown: Shown, inside: bool) -> Decided:
    variant = "treatment" if inside else "control"
    count = len(shown.products)
    return Decided(
        recommendation_id=name,
        request=json.dumps({"user_id": user}).encode(),
        user_state=None,
        session_state=None,
        reached=True,
        bundle="simulated",
        product_epoch=0,
        now_us=time,
        seed=0,
        rung="full",
        variant=f"{_NAME}:{variant}",
        products=[f"p{product}" for product in shown.products],
        scores=[1.0] * count,
        sources=["popular"] * count,
        propensities=[1.0] * count,
        exposures=[Exposure(_NAME, variant, 1)],
        latency_ms=3.0,
        version=VERSION,
    )


def _events(name: str, user: str, time: int, shown: Shown) -> list[dict[str, object]]:
    """A click on each opened product a second apart, and a purchase where it was bought."""
    told: list[dict[str, object]] = []
    for place, product in enumerate(shown.products):
        if not shown.opened[place]:
            continue
        kinds = ["click", "purchase"] if shown.bought[place] else ["click"]
        for late, kind in enumerate(kinds):
            told.append(
                dict.fromkeys(EVENT_SCHEMA)
                | {
                    "event_id": f"{name}-{place}-{kind}",
                    "user_id": user,
                    "event_type": kind,
                    "product_id": f"p{product}",
                    "timestamp": _EPOCH + timedelta(microseconds=time, seconds=1 + place, milliseconds=late),
                    "price": shown.prices[place],
                    "quantity": 1,
                    "recommendation_id": name,
                    "position": place,
                }
            )
    return told
