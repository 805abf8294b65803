"""Kill -9 while events stream in: every accepted event must be in the lake exactly once.

``python -m benchmarks.chaos --points 24 --json``

A real home: the embedded Redis, ``reco serve``, a follower of the stream, which is ``reco stream`` and
a run of Dagster's job in turn, and shoppers who post events, each a process of its own. They are killed
at random and at observed moments and started again as a supervisor does. In the end what was accepted
is held against the lake, the tables against one batch over the raw events, and the online store against
one that is filled anew at the same moment.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Final

from benchmarks.chaos_load import Accepted, Load
from benchmarks.chaos_points import Stage, points, version
from benchmarks.chaos_verdict import verdict
from benchmarks.report import Value, log, report
from benchmarks.streaming_home import private, running, until_it_answers, until_it_is_drained
from benchmarks.supervised import Waiting, revive_redis
from reco_assets.errors import RecoError
from reco_assets.platform.settings import Settings

#: Results that must be 0.
FAULTS: Final = ("lost", "doubled", "raw_doubled", "table_differences", "online_differences")
#: Seconds between two micro-batches: the follower has hardly a pause.
STREAM_SECONDS: Final = 0.2
_PATIENCE_SECONDS: Final = 120.0


def main() -> int:
    """Run, report; the exit code is not 0 where anything was lost, doubled or differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--points", type=int, default=24, help="moments at which somebody is killed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder to work in, which stays")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    try:
        if given.keep is not None:
            results = run(given.keep.resolve(), given.points, given.seed)
        else:
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
                results = run(Path(folder), given.points, given.seed)
    except RecoError as error:
        log(f"benchmarks.chaos: {error}")
        return 1
    report("chaos", {"points": given.points, "seed": given.seed}, results, given.json)
    return 1 if any(results[name] for name in FAULTS) else 0


def run(folder: Path, count: int, seed: int) -> dict[str, Value]:
    """Kill at ``count`` points under load, let everything settle, and judge what is there."""
    settings = private(folder, STREAM_SECONDS)
    hits: Counter[str] = Counter()
    started = time.monotonic()
    with running(settings, folder) as home:
        with Load(settings.service_port, seed, folder / "accepted") as load:
            _until_it_follows(settings)
            dice = random.Random(seed)
            stage = Stage(settings, home.service, home.follower, dice)
            for number, point in enumerate(islice(points(dice), count), 1):
                hit = point(stage)
                hits[hit] += 1
                log(f"{number:>3}/{count}  {hit}")
                stage.wait(1.0)
                revive_redis(settings)
                until_it_answers(settings)
        under_load = time.monotonic() - started
        accepted = load.accepted()
        log(f"{len(accepted.ids):,} events accepted; draining what is under way")
        until_it_is_drained(settings)
        home.follower.end()
        results = verdict(settings, folder, accepted.ids)
    return {
        "kill_points": count,
        **_told(accepted),
        **results,
        "service_starts": home.service.starts,
        "follower_starts": home.follower.starts,
        "seconds_under_load": round(under_load, 1),
        "seconds": round(time.monotonic() - started, 1),
        "hits": dict(sorted(hits.items())),
    }


def _told(accepted: Accepted) -> dict[str, Value]:
    return {
        "accepted": len(accepted.ids),
        "rejected": accepted.rejected,
        "requests": accepted.requests,
        "retries": accepted.retries,
    }


def _until_it_follows(settings: Settings) -> None:
    """A few micro-batches have gone through before the first kill."""
    still = Waiting(_PATIENCE_SECONDS, "nothing reaches the lake", 0.1)
    while still(version(Path(settings.lake_root) / "gold/product_features") < 2):
        pass


if __name__ == "__main__":
    sys.exit(main())
