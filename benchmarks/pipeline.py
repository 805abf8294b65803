"""Raw files to gold features, against the same tables written by hand in Polars.

``python -m benchmarks.pipeline --events 10000000 --json``
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from datetime import UTC, date, datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import polars as pl

from benchmarks.polars_pipeline import run_polars
from benchmarks.report import Stopwatch, Value, log, peak_rss_mb, report
from benchmarks.shop import parameters_of, shop_parser
from reco_assets.catalogue.history import product_history
from reco_assets.catalogue.ingest import PRODUCTS, ingest_files
from reco_assets.errors import RecoError
from reco_assets.events.landing import import_landing
from reco_assets.features import pipeline
from reco_assets.interactions.pipeline import build_interactions
from reco_assets.platform.engine import Engine, Written
from reco_assets.platform.engines import open_engine
from reco_assets.platform.lake import Lake, open_lake
from reco_assets.platform.settings import Settings
from reco_assets.simulator.parameters import Parameters
from reco_assets.simulator.shop import simulate

Answer = TypeVar("Answer")

#: Tables that both sides make; their row counts must be equal.
TABLES = (
    "interactions",
    "user_windows",
    "user_category_windows",
    "product_windows",
    "user_days",
    "user_category_days",
    "product_days",
    "user_features",
    "product_features",
)


def main() -> int:
    """Simulate (not timed), build every table twice, compare; the exit code."""
    parser = shop_parser(__doc__)
    parser.add_argument("--work", type=Path, help="keep the simulated shop here, and use it again")
    parser.add_argument("--without-polars", action="store_true", help="measure our side only")
    given = parser.parse_args()
    parameters = parameters_of(given)
    with ExitStack() as stack:
        work = given.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            shop = _shop(parameters, work)
            first, last = _days(shop)
            ours = _in_child(partial(run_ours, shop, _emptied(work / "home"), first, last))
            theirs = (
                None
                if given.without_polars
                else _in_child(partial(run_polars, shop, _emptied(work / "polars")))
            )
        except RecoError as error:
            log(f"benchmarks.pipeline: {error}")
            return 1
        finally:
            for folder in ("home", "polars"):
                shutil.rmtree(work / folder, ignore_errors=True)
    if theirs:
        different = [name for name in TABLES if ours[f"{name}_rows"] != theirs[f"{name}_rows"]]
        if different:
            log(f"benchmarks.pipeline: the two sides differ in the rows of {', '.join(different)}")
            return 1
    report("pipeline", _parameters(given), _results(given.events, ours, theirs), given.json)
    return 0


def run_ours(shop: Path, home: Path, first: date, last: date) -> dict[str, float]:
    """Every table of ``shop`` in a lake under ``home``: ``<stage>_seconds``, ``<stage>_rows``, memory."""
    settings = Settings(home=home)
    lake = open_lake(settings)
    engine = open_engine(settings, lake)
    results: dict[str, float] = {}
    worked = time.process_time()

    def stage(name: str, make: Callable[[], int]) -> None:
        with Stopwatch() as watch:
            results[f"{name}_rows"] = make()
        results[f"{name}_seconds"] = watch.seconds
        log(f"{name}: {watch.seconds:.2f} s, {results[f'{name}_rows']:,.0f} rows, {peak_rss_mb():,.0f} MB")

    stage("import", lambda: import_landing(lake, shop, datetime.now(UTC)).accepted)
    stage("products", lambda: _products(lake, shop))
    builds: dict[str, Callable[[Engine, date, date], Written]] = {
        "interactions": build_interactions,
        **{name.removeprefix("gold/"): build for name, build in pipeline.BUILDS.items()},
    }
    for name, build in builds.items():
        stage(name, partial(_rows, build, engine, first, last))
    engine.close()
    results |= {"peak_rss_mb": peak_rss_mb(), "cpu": time.process_time() - worked}
    return results


def _rows(build: Callable[[Engine, date, date], Written], engine: Engine, first: date, last: date) -> int:
    return build(engine, first, last).rows


def _products(lake: Lake, shop: Path) -> int:
    ingest_files(lake, PRODUCTS, [shop / "products.parquet"], datetime.now(UTC))
    events = lake.scan("raw/events").filter(pl.col("product_id").is_not_null())
    seen = events.group_by("product_id").agg(first_seen=pl.col("timestamp").min())
    rows = product_history(lake.scan("raw/catalogue"), seen)
    lake.replace("silver/products", rows.to_arrow())
    return rows.height


def _shop(parameters: Parameters, work: Path) -> Path:
    size = f"{parameters.users}-{parameters.products}-{parameters.days}-{parameters.total_events}"
    shop = work / f"shop-{size}-{parameters.seed}"
    if not (shop / "manifest.json").exists():
        log(f"simulating {parameters.total_events:,} events (not timed)")
        _in_child(partial(simulate, parameters, shop, overwrite=True))
    return shop


def _days(shop: Path) -> tuple[date, date]:
    counts = json.loads((shop / "manifest.json").read_text())["counts"]
    return date.fromisoformat(counts["first_day"]), date.fromisoformat(counts["last_day"])


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def _in_child(task: Callable[[], Answer]) -> Answer:
    # A process of its own, so that its peak of memory is its own.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(task).result()


def _parameters(given: argparse.Namespace) -> dict[str, Value]:
    return {name: getattr(given, name) for name in ("events", "users", "products", "days", "seed")} | {
        "engine": Settings().engine,
        "memory_gb": Settings().memory_gb,
    }


def _results(events: int, ours: dict[str, float], theirs: dict[str, float] | None) -> dict[str, Value]:
    stages = [name.removesuffix("_seconds") for name in ours if name.endswith("_seconds")]
    seconds = sum(ours[f"{name}_seconds"] for name in stages)
    results: dict[str, Value] = {
        "events_per_second": round(events / seconds),
        "peak_rss_mb": round(ours["peak_rss_mb"]),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(ours["cpu"], 1),
    }
    for name in stages:
        results[f"{name}_seconds"] = round(ours[f"{name}_seconds"], 2)
        results[f"{name}_share"] = round(ours[f"{name}_seconds"] / seconds, 3)
    if theirs:
        polars = sum(value for name, value in theirs.items() if name.endswith("_seconds"))
        derived = sum(ours[f"{name}_seconds"] for name in TABLES)
        results |= {
            "speed_vs_polars": round(polars / seconds, 3),
            "speed_vs_polars_without_import": round(polars / derived, 3),
            "cpu_vs_polars": round(theirs["cpu"] / ours["cpu"], 3),
            "polars_seconds": round(polars, 2),
            "polars_cpu_seconds": round(theirs["cpu"], 1),
            "polars_peak_rss_mb": round(theirs["peak_rss_mb"]),
            **{f"polars_{name}_seconds": round(theirs[f"{name}_seconds"], 2) for name in TABLES},
        }
    return results


if __name__ == "__main__":
    sys.exit(main())
