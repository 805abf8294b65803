"""What visitors notice when something that the service stands on fails, under load.

``python -m benchmarks.faults --products 100000 --users 1000000``

For each fault: a few seconds as usual, the fault, its end, and a few seconds more. ``recovery_seconds``
counts from the end of the fault (or, where there is none, from its beginning) to the first second in which
all but one in a hundred answers are whole and in time.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Final

from benchmarks.fault_kinds import KINDS, Setting
from benchmarks.load import closed_loop
from benchmarks.report import Value, log
from benchmarks.served import Served, measured, sized, wait_for_bundle
from benchmarks.streaming_home import environment_of, until_it_answers
from benchmarks.supervised import Supervised
from benchmarks.visitors import Seen, recovery, rungs, visitors

#: Seconds before the fault, and after its end.
USUAL_SECONDS: Final = 3.0
AFTER_SECONDS: Final = 8.0


def main() -> int:
    """Build, fill, start, break, measure; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    sized(parser)
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second")
    parser.add_argument("--duration", type=float, default=8.0, help="seconds that a fault lasts")
    parser.add_argument("--only", action="append", choices=list(KINDS), help="this fault; may be repeated")
    given = parser.parse_args()
    return measured("faults", given, ("rate", "duration"), lambda home: _measure(home, given))


def _measure(home: Served, given: argparse.Namespace) -> dict[str, Value]:
    results: dict[str, Value] = {}
    for name in given.only or KINDS:
        results[name] = _one(name, Setting(home), given.rate, given.duration)
        log(f"{name}: {results[name]}")
    results["errors_5xx"] = sum(int(one["errors_5xx"]) for one in results.values() if isinstance(one, dict))
    return results


def _one(name: str, setting: Setting, rate: float, seconds: float) -> dict[str, Value]:
    """Start the service, break something for so many ``seconds``, mend it."""
    kind = KINDS[name]
    settings, home = setting.home.settings, setting.home
    with kind.around(setting):
        environment = environment_of(settings) | setting.environment
        command = {"service": ("reco_serving",)}
        with Supervised(command, environment, home.folder / f"{name}.log") as service:
            setting.service = service
            until_it_answers(settings)
            wait_for_bundle(settings)
            closed_loop(settings.service_port, "/recommend", home.bodies, 4, 3.0)
            phases = [(rate, USUAL_SECONDS + seconds + AFTER_SECONDS)]
            with visitors(settings.service_port, home.bodies, phases) as seen:
                time.sleep(USUAL_SECONDS)
                broken = time.time()
                kind.hurt(setting)
                time.sleep(seconds)
                mended = time.time()
                mends = kind.mend(setting)
                found = seen()
    return figures(found, broken, mended if mends else broken, setting)


def figures(seen: Sequence[Seen], broken: float, since: float, setting: Setting) -> dict[str, Value]:
    """What visitors saw from the moment ``broken`` on; recovery counts from ``since``."""
    during = [one for one in seen if one.due >= broken]
    answered = sorted(one.milliseconds for one in during if one.status == 200)
    return {
        "answers": len(answered),
        "errors_5xx": sum(one.status >= 500 for one in seen),
        "broken_connections": sum(one.status == 0 for one in seen),
        "refused_429": sum(one.status == 429 for one in seen),
        "over_100ms": sum(one > 100.0 for one in answered),
        "p99_ms": round(answered[len(answered) * 99 // 100], 1) if answered else None,
        "rungs": rungs(during),
        "recovery_seconds": recovery(seen, since),
        **setting.told,
    }


if __name__ == "__main__":
    sys.exit(main())
