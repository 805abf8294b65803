"""The simulator as judge, live: ``python -m benchmarks.live --seeds 3 --json``.

A simulated shop goes through the whole graph. Then its shoppers come for some days more, half of them
are shown what is popular and half what the recommender answers, and they choose from what they are shown
by their true utilities. Reported are clicks per impression, purchases and revenue of each half, and the
gain with its interval, for each seed and for all together.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from benchmarks.live_days import ARMS, Rows, Shoppers, Tally, live_through
from benchmarks.live_figures import Estimate, judged, picture
from benchmarks.live_service import LiveService
from benchmarks.report import Stopwatch, Value, log, report
from benchmarks.streaming_home import environment_of, private
from reco_assets.catalogue.history import product_history
from reco_assets.catalogue.ingest import PRODUCTS, ingest_files
from reco_assets.errors import MissingDependency, RecoError
from reco_assets.events.contract import EVENTS
from reco_assets.platform.lake import Lake
from reco_assets.platform.settings import Settings
from reco_assets.simulator.catalogue import product_observations
from reco_assets.simulator.parameters import DAY_US, Parameters
from reco_assets.simulator.schedule import schedule
from reco_assets.simulator.shop import simulate
from reco_assets.simulator.viewing import Viewing
from reco_assets.simulator.visits import LiveDay
from reco_assets.simulator.world import World, world
from reco_serving.metrics import Metrics

#: The last day that is lived; everything is in the past, where no event comes from the future.
END: Final = date(2025, 6, 30)
TARGET: Final = 0.30


def main() -> int:
    """Simulate, train, live, judge; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--users", type=int, default=2_000)
    parser.add_argument("--products", type=int, default=1_500)
    parser.add_argument("--days", type=int, default=30, help="of the history that is learned from")
    parser.add_argument("--live-days", type=int, default=3)
    parser.add_argument("--visits", type=int, default=800, help="of one live day")
    parser.add_argument("--position-bias", type=float, default=Viewing().position_bias)
    parser.add_argument("--plot", type=Path, help="write a picture of the arms here (PNG)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    told = ("seeds", "users", "products", "days", "live_days", "visits", "position_bias")
    parameters = {name: getattr(given, name) for name in told}
    try:
        results, found = run(**parameters)
        if given.plot is not None:
            given.plot.write_bytes(picture(found))
    except (RecoError, OSError) as error:
        log(f"benchmarks.live: {error}")
        return 1
    report("live", parameters, results, given.json)
    return 0


def run(
    *,
    seeds: int,
    users: int,
    products: int,
    days: int,
    live_days: int,
    visits: int,
    position_bias: float,
) -> tuple[dict[str, Value], dict[str, dict[str, dict[str, Estimate]]]]:
    """The results, and the same by seed and for all as a picture needs them."""
    metrics, viewing = Metrics(), Viewing(position_bias=position_bias)
    everybody: list[Tally] = []
    found: dict[str, dict[str, dict[str, Estimate]]] = {}
    degraded = 0
    for seed in range(seeds):
        parameters = Parameters(users=users, products=products, days=days + live_days, end=END, seed=seed)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, Stopwatch() as watch:
            tallies, missed = lived(Path(folder), parameters, live_days, visits, viewing, metrics)
        degraded += missed
        everybody += tallies
        found[f"seed {seed}"] = judged(tallies)
        gain = found[f"seed {seed}"]["clicks_per_impression"]["gain"]
        log(f"seed {seed}: {gain.value:+.1%} clicks per impression, {watch.seconds:.0f} s")
    found["all"] = judged(everybody)
    gain = found["all"]["clicks_per_impression"]["gain"]
    return {
        "clicks_gain": round(gain.value, 4),
        "clicks_gain_low": round(gain.low, 4),
        "clicks_gain_high": round(gain.high, 4),
        "target_reached": gain.value >= TARGET,
        "degraded_answers": degraded,
        **{name: _told(rates) for name, rates in found.items()},
        "shown": _shown(everybody),
    }, found


def lived(
    folder: Path, parameters: Parameters, live_days: int, visits: int, viewing: Viewing, metrics: Metrics
) -> tuple[list[Tally], int]:
    """Learn from all but the last ``live_days`` of the shop of ``parameters``, then live through these.

    Returns
    -------
    What each shopper did, and how many answers were made without the online store.
    """
    settings = private(folder, stream_seconds=10.0)
    history = parameters.days - live_days
    simulate(parameters, settings.home / "landing")
    hidden = world(parameters)
    happenings = schedule(parameters, hidden.products)
    observed = product_observations(hidden, happenings)
    begins = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=parameters.start_us + history * DAY_US)
    _forget(settings, parameters, history, observed.filter(pl.col("observed_at") < begins))
    with Stopwatch() as watch:
        _materialize(settings)
    log(f"reco materialize: {watch.seconds:.0f} s")
    with LiveService(settings, metrics) as service:
        rows = _rows(hidden, service)
        shoppers = Shoppers(parameters.seed, _owned(service.lake, hidden))
        for index in range(history, parameters.days):
            day = LiveDay.of(hidden, happenings, index, viewing)
            today = observed.filter(
                pl.col("observed_at").is_between(begins, begins + timedelta(days=1), closed="left")
            )
            _tell_catalogue(service.lake, today, folder / f"products-{index}.parquet")
            begins += timedelta(days=1)
            with Stopwatch() as watch:
                service.micro_batch(day.start_us + 60_000_000)
                live_through(service, day, visits, rows, shoppers)
            log(f"  day {index}: {visits} visits, {watch.seconds:.0f} s")
        return list(shoppers.tallies.values()), service.degraded


def _forget(settings: Settings, parameters: Parameters, history: int, observed: pl.DataFrame) -> None:
    """Leave in the landing folder what the shop knows when the live days begin."""
    landing = settings.home / "landing"
    for index in range(history, parameters.days):
        (landing / "events" / f"{parameters.day(index).isoformat()}.parquet").unlink()
    observed.write_parquet(landing / "products.parquet")


def _materialize(settings: Settings) -> None:
    command = [sys.executable, "-m", "reco_assets.cli.main", "materialize", "--json"]
    environment = environment_of(settings) | {"DAGSTER_HOME": str(settings.home / "dagster")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MissingDependency(f"reco materialize: {done.stdout[-1000:]} {done.stderr[-2000:]}")


def _rows(hidden: World, service: LiveService) -> Rows:
    ids = hidden.products.ids.to_pylist()
    to_bundle = np.array([service.bundle.items.row(product_id) for product_id in ids], np.int32)
    to_world = np.full(len(service.bundle.items), -1, np.int32)
    known = np.flatnonzero(to_bundle >= 0)
    to_world[to_bundle[known]] = known
    return Rows(to_bundle, to_world)


def _owned(lake: Lake, hidden: World) -> dict[int, set[int]]:
    """Product rows that each user row has bought in the history."""
    bought = lake.scan("silver/interactions").filter(pl.col("event_type") == "purchase")
    users = {name: row for row, name in enumerate(hidden.users.ids.to_pylist())}
    products = {name: row for row, name in enumerate(hidden.products.ids.to_pylist())}
    owned: dict[int, set[int]] = {}
    for user, product in bought.select("user_id", "product_id").collect().iter_rows():
        owned.setdefault(users[user], set()).add(products[product])
    return owned


def _tell_catalogue(lake: Lake, observed: pl.DataFrame, path: Path) -> None:
    """What the shop's catalogue says that day; the next refresh brings it into the answers."""
    if not observed.height:
        return
    observed.write_parquet(path)
    ingest_files(lake, PRODUCTS, [path], datetime.now(UTC))
    named = lake.scan(EVENTS).drop_nulls("product_id").group_by("product_id")
    seen = named.agg(first_seen=pl.col("timestamp").min())
    lake.replace("silver/products", product_history(lake.scan("raw/catalogue"), seen).to_arrow())


def _told(rates: Mapping[str, Mapping[str, Estimate]]) -> dict[str, Value]:
    return {rate: {name: one.told() for name, one in found.items()} for rate, found in rates.items()}


def _shown(tallies: Sequence[Tally]) -> dict[str, Value]:
    """Sums of each arm."""
    return {
        arm: {
            "visitors": sum(one.arm == arm for one in tallies),
            "visits": sum(one.visits for one in tallies if one.arm == arm),
            "impressions": sum(one.impressions for one in tallies if one.arm == arm),
            "clicks": sum(one.clicks for one in tallies if one.arm == arm),
            "purchases": sum(one.purchases for one in tallies if one.arm == arm),
        }
        for arm in ARMS
    }


if __name__ == "__main__":
    sys.exit(main())
