"""What visitors notice when the bundle that serves is replaced, and how fast it is: under load.

``python -m benchmarks.swap --products 100000 --users 1000000``

``reco promote`` and ``reco rollback`` are called as an operator calls them: to a bundle that the service
has never seen, which answers nearly as the first one does, and back. In the end a damaged one is promoted,
which must not serve.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import httpx
import numpy as np

from benchmarks.load import closed_loop
from benchmarks.process import process
from benchmarks.report import Value, log
from benchmarks.served import Served, measured, sized, wait_for_bundle
from benchmarks.streaming_home import environment_of
from benchmarks.visitors import Seen, rungs, visitors
from reco_assets.errors import MissingDependency
from reco_assets.platform.registry import Registry

#: Seconds before the first swap, enough for as many answers as come around all of them, and between two.
STEADY_SECONDS: Final = 20.0
PAUSE_SECONDS: Final = 5.0
#: A swap is felt from its command on until all workers have made it, and for so long after that.
FELT_SECONDS: Final = 0.5
#: What it takes at the most, on a machine that is not much slower than any it was measured on.
_LONGEST_SECONDS: Final = 5.0


def main() -> int:
    """Build, fill, start, measure; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    sized(parser)
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second")
    parser.add_argument("--swaps", type=int, default=6, help="promotions and rollbacks in turn")
    given = parser.parse_args()
    trees = max(1, given.trees * 9 // 10)
    return measured(
        "swap", given, ("rate", "swaps"), lambda home: _measure(home, given.rate, given.swaps, trees)
    )


def _measure(home: Served, rate: float, swaps: int, trees: int) -> dict[str, Value]:
    port = home.settings.service_port
    others = [home.register(f"other-{number}", trees) for number in range(0, swaps, 2)]
    damaged = home.register("damaged")
    _damage(Registry(home.settings).folder(damaged) / "arrays" / "product_matrix.npy")
    moved: list[float] = []
    took: list[tuple[float, float]] = []
    with process(None, port, home.settings):
        wait_for_bundle(home.settings)
        closed_loop(port, "/recommend", home.bodies, 2, 5.0)
        phases = [(rate, STEADY_SECONDS + (swaps + 1) * (PAUSE_SECONDS + _LONGEST_SECONDS))]
        with visitors(port, home.bodies, phases) as seen:
            time.sleep(STEADY_SECONDS)
            for number in range(swaps):
                moved.append(time.time())
                forth = number % 2 == 0
                took.append(_reco(home, "promote", others[number // 2]) if forth else _reco(home, "rollback"))
                log(f"served after {took[-1][0]:.2f} s, {took[-1][1]:.2f} s without the start of the command")
                time.sleep(PAUSE_SECONDS)
            refused = not _accepted(home, damaged)
            found = seen()
        missing = httpx.get(f"http://127.0.0.1:{port}/health", timeout=5.0).json()["missing"]
    log(f"the damaged bundle: {missing}")
    felt = [(at, at + seconds + FELT_SECONDS) for at, (seconds, _) in zip(moved, took, strict=True)]
    return figures(found, felt) | {
        **_seconds("promote", [whole for whole, _ in took[::2]]),
        **_seconds("rollback", [whole for whole, _ in took[1::2]]),
        "served_after_move_median_s": round(float(np.median([moved for _, moved in took])), 2),
        "damaged_refused": refused and any("refused" in one for one in missing),
    }


def figures(seen: Sequence[Seen], felt: Sequence[tuple[float, float]]) -> dict[str, Value]:
    """Latencies within the times (from, to) in which swaps are ``felt``, against those before the first."""
    near = [one for one in seen if any(begin <= one.due < end for begin, end in felt)]
    before = [one for one in seen if one.due < felt[0][0]]
    steady, swapping = (
        np.percentile([one.milliseconds for one in some if one.status == 200], [50, 99]).tolist()
        for some in (before, near)
    )
    return {
        "failed": sum(one.status != 200 for one in seen),
        "answers": len(seen),
        "p50_ms": round(steady[0], 2),
        "p99_ms": round(steady[1], 2),
        "swap_p50_ms": round(swapping[0], 2),
        "swap_p99_ms": round(swapping[1], 2),
        "swap_max_ms": round(max(one.milliseconds for one in near), 1),
        "p99_ratio": round(swapping[1] / steady[1], 2),
        "rungs": rungs(seen),
        "failed_statuses": sorted({one.status for one in seen if one.status != 200}),
    }


def _seconds(command: str, taken: Sequence[float]) -> dict[str, Value]:
    """From the start of a command to its end, when the bundle serves."""
    if not taken:
        return {}
    return {
        f"{command}_median_s": round(float(np.median(taken)), 2),
        f"{command}_max_s": round(max(taken), 2),
    }


def _reco(home: Served, *arguments: str) -> tuple[float, float]:
    """Seconds until the bundle served: from the start of the command to its end, and as it says itself."""
    done, seconds = _run(home, *arguments)
    told = json.loads(done.stdout) if done.returncode == 0 else {}
    if told.get("serves") is not True:
        raise MissingDependency(f"reco {' '.join(arguments)}: {done.stdout} {done.stderr}")
    return seconds, float(told["seconds"])


def _accepted(home: Served, version: str) -> bool:
    done, _ = _run(home, "promote", version)
    return done.returncode == 0 and json.loads(done.stdout)["serves"] is True


def _run(home: Served, *arguments: str) -> tuple[subprocess.CompletedProcess[str], float]:
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "reco_assets.cli.main", *arguments, "--json"],
        env=environment_of(home.settings),
        capture_output=True,
        text=True,
        check=False,
    )
    return done, time.monotonic() - begun


def _damage(file: Path) -> None:
    """Turn over a byte in the middle."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


if __name__ == "__main__":
    sys.exit(main())
