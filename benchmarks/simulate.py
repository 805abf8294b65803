"""How fast a shop history is simulated and written: ``python -m benchmarks.simulate --events 10000000``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.report import MemorySampler, Stopwatch, log, report
from benchmarks.shop import parameters_of, shop_parser
from reco_assets.errors import RecoError
from reco_assets.simulator.parameters import Parameters
from reco_assets.simulator.shop import simulate


def main() -> int:
    """Simulate into a temporary folder, once after a warm-up that compiles; the exit code."""
    parser = shop_parser(__doc__)
    given = parser.parse_args()
    try:
        parameters = parameters_of(given)
        with tempfile.TemporaryDirectory() as folder:
            with Stopwatch() as compiling:
                simulate(Parameters(users=10, products=32, days=1, events=1_000), Path(folder) / "warm-up")
            written = 0

            def progress(events: int) -> None:
                nonlocal written
                written += events
                log(f"{written:,} of {parameters.total_events:,} events")

            out = Path(folder) / "shop"
            with MemorySampler() as memory, Stopwatch() as watch:
                counts = simulate(parameters, out, progress=progress)
            size = sum(path.stat().st_size for path in out.rglob("*.parquet"))
    except RecoError as error:
        log(f"benchmarks.simulate: {error}")
        return 1
    results = {
        "events_per_second": round(counts.events / watch.seconds),
        "peak_rss_mb": round(memory.peak_mb, 1),
        "seconds": round(watch.seconds, 3),
        "warm_up_seconds": round(compiling.seconds, 3),
        "written_mb": round(size / 1e6, 1),
    }
    report(
        "simulate",
        {
            "events": given.events,
            "users": given.users,
            "products": given.products,
            "days": given.days,
            "seed": given.seed,
        },
        results,
        given.json,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
