"""Gold to a registered bundle: time and memory of a whole retraining, as Dagster runs it.

``python -m benchmarks.training --events 10000000 --json``
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from benchmarks.report import MemorySampler, Stopwatch, log, report
from benchmarks.shop import parameters_of, shop_parser
from reco_assets.errors import RecoError

#: What there is before: raw to gold.
TABLES = '(group:"events" or group:"catalogue" or group:"features") or key:"interactions"'
#: What a retraining makes: the learning log, sources, examples, ranker, evaluation, bundle, gate.
LEARNING = 'key:"learning_log" or group:"candidates" or group:"ranking" or group:"recommender"'


def main() -> int:
    """Build the tables untimed, then train; the exit code."""
    parser = shop_parser(__doc__)
    parser.add_argument("--work", type=Path, help="keep the shop and its tables here, and use them again")
    given = parser.parse_args()
    with ExitStack() as stack:
        work = given.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ["RECO_HOME"] = str(work.resolve())
        os.environ["DAGSTER_HOME"] = str((work / "dagster").resolve())
        try:
            return _measure(given, work)
        except RecoError as error:
            log(f"benchmarks.training: {error}")
            return 1


def _measure(given: argparse.Namespace, work: Path) -> int:
    # Dagster reads its home when it is imported
    from reco_assets.cli.graph import run_graph
    from reco_assets.platform.lake import open_lake
    from reco_assets.platform.settings import Settings
    from reco_assets.simulator.shop import simulate

    settings = Settings()
    console = Console(stderr=True)
    if not (settings.landing_folder / "manifest.json").exists():
        log("simulating (not timed)")
        simulate(parameters_of(given), settings.landing_folder)
    if not open_lake(settings).exists("gold/user_features"):
        log("raw to gold (not timed)")
        run_graph(settings, None, None, TABLES, console)
    log("training")
    with MemorySampler() as memory, Stopwatch() as watch:
        run = run_graph(settings, None, None, LEARNING, console)
    stages = {f"{step}_seconds": round(seconds, 1) for step, seconds in run.steps.items()}
    report(
        "training",
        {"events": given.events, "users": given.users, "products": given.products, "days": given.days},
        {"seconds": round(watch.seconds, 1), "peak_rss_mb": round(memory.peak_mb), **stages},
        given.json,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
