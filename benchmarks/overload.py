"""What the service does when three times as much is asked as it can answer.

``python -m benchmarks.overload --products 100000 --users 1000000``

First its capacity is measured: what eight clients get who each ask again when they are answered. Then
visitors come at three times that rate, with priorities, whether they are answered or not, and after that
at half of it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Final

import numpy as np

from benchmarks.load import closed_loop
from benchmarks.process import process
from benchmarks.report import Value, log
from benchmarks.served import Served, measured, sized, wait_for_bundle
from benchmarks.visitors import PRIORITIES, Seen, recovery, rungs, visitors

#: Share of the capacity that is asked for afterwards, and for how many seconds.
AFTER: Final = (0.5, 15.0)
_WARM_SECONDS: Final = 5.0


def main() -> int:
    """Build, fill, start, measure; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    sized(parser)
    parser.add_argument("--times", type=float, default=3.0, help="the capacity that is asked for")
    parser.add_argument("--duration", type=float, default=60.0, help="seconds of overload")
    given = parser.parse_args()
    own = ("times", "duration")
    return measured("overload", given, own, lambda home: _measure(home, given.times, given.duration))


def _measure(home: Served, times: float, seconds: float) -> dict[str, Value]:
    port = home.settings.service_port
    with process(None, port, home.settings):
        wait_for_bundle(home.settings)
        closed_loop(port, "/recommend", home.bodies, 2, _WARM_SECONDS)
        capacity = closed_loop(port, "/recommend", home.bodies, 8, 2 * _WARM_SECONDS).per_second()
        log(f"capacity {capacity}/s; asking for {times:g} times that")
        phases = [(times * capacity, seconds), (AFTER[0] * capacity, AFTER[1])]
        with visitors(port, home.bodies, phases, priorities=True) as seen:
            found = seen()
    return {"capacity_rps": capacity, **figures(found, capacity, seconds)}


def figures(seen: Sequence[Seen], capacity: float, seconds: float) -> dict[str, Value]:
    """What came of the overload, which lasted for so many ``seconds``, and of the time after it."""
    end = seen[0].due + seconds
    during = [one for one in seen if one.due < end]
    answered = np.array([one.milliseconds for one in during if one.status == 200])
    refused = np.array([one.milliseconds for one in during if one.status == 429])
    good = sum(one.in_time for one in during)
    right = good + len(refused)
    return {
        "asked_rps": round(len(during) / seconds, 1),
        "answered_under_100ms_or_429_share": round(right / len(during), 4),
        "answered_after_100ms": len(answered) - good,
        "goodput_share_of_capacity": round(good / seconds / capacity, 3),
        "recovery_seconds": recovery(seen, end),
        "errors_5xx": sum(one.status >= 500 for one in seen),
        "broken": sum(one.status == 0 for one in seen),
        "answered_p50_ms": _percentile(answered, 50),
        "answered_p99_ms": _percentile(answered, 99),
        "answered_max_ms": _percentile(answered, 100),
        "refused_share": round(len(refused) / len(during), 4),
        "refused_p99_ms": _percentile(refused, 99),
        "rungs": rungs(during),
        **{
            f"{name}_refused_share": _share([one.status == 429 for one in during if one.priority == name])
            for name in PRIORITIES
        },
        **{
            f"{name}_full_share": _share([one.rung == "full" for one in during if one.priority == name])
            for name in PRIORITIES
        },
    }


def _share(true: Sequence[bool]) -> float:
    return round(sum(true) / max(1, len(true)), 4)


def _percentile(milliseconds: np.ndarray[tuple[int], np.dtype[np.float64]], share: float) -> float | None:
    return round(float(np.percentile(milliseconds, share)), 1) if len(milliseconds) else None


if __name__ == "__main__":
    sys.exit(main())
