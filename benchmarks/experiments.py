"""Experiments on simulated shoppers: ``python -m benchmarks.experiments --json``.

Shoppers of several simulated shops live through some weeks under three kinds of lists, each shopper under
all three, so that what a kind does is known. Then experiment after experiment divides them anew and is
looked at every few hours: two hundred that compare the control with itself, some that compare it with a
better list, some with a harmful one. Last, one harmful variant goes the whole road, from records in the
stream through the tables to the board that the service reads.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import timeit
from collections.abc import Sequence
from datetime import date
from math import isfinite
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.experiment_road import stopped_on_the_road
from benchmarks.experiment_shoppers import ARMS, Lived, live
from benchmarks.experiment_trials import METRICS, Trial, Watched, naive, trial, true_difference
from benchmarks.report import Stopwatch, Value, log, report
from reco_assets.errors import RecoError
from reco_assets.experiments.assignment import bucket
from reco_assets.experiments.findings import RATIO_LEVEL
from reco_assets.simulator.parameters import DAY_US, Parameters

END: Final = date(2025, 6, 30)
_BETTER, _HARMFUL = ARMS.index("better"), ARMS.index("harmful")


def main() -> int:
    """Simulate, divide, look; the exit code is 1 where a promise does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--shops", type=int, default=4)
    parser.add_argument("--repetitions", type=int, default=200, help="A/A tests over all shops")
    parser.add_argument("--effects", type=int, default=40, help="A/B tests, and harmful ones, over all shops")
    parser.add_argument("--users", type=int, default=2_000)
    parser.add_argument("--products", type=int, default=1_500)
    parser.add_argument("--days-before", type=int, default=7)
    parser.add_argument("--days", type=int, default=14, help="of an experiment")
    parser.add_argument("--visits", type=int, default=1_000, help="a day")
    parser.add_argument("--hours", type=int, default=6, help="between two looks")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = vars(parser.parse_args())
    as_json = given.pop("json")
    try:
        results = run(**given)
    except (RecoError, OSError) as error:
        log(f"benchmarks.experiments: {error}")
        return 1
    report("experiments", given, results, as_json)
    return 0 if results["kept_its_promises"] else 1


def run(
    *,
    shops: int,
    repetitions: int,
    effects: int,
    users: int,
    products: int,
    days_before: int,
    days: int,
    visits: int,
    hours: int,
) -> dict[str, Value]:
    """All results."""
    same: list[Trial] = []
    better: list[tuple[Watched, Trial]] = []
    harmful: list[tuple[Watched, Trial]] = []
    lived: list[Lived] = []
    with Stopwatch() as whole:
        for seed in range(shops):
            parameters = Parameters(
                users=users, products=products, days=days_before + days, end=END, seed=seed
            )
            with Stopwatch() as watch:
                lived.append(live(parameters, visits))
            log(f"shop {seed}: {len(lived[-1].user):,} visits lived in {watch.seconds:.0f} s")
            watched = Watched.of(lived[-1], days_before, hours)
            share = _part(repetitions, shops, seed)
            with Stopwatch() as watch:
                same += [trial(watched, 0, f"aa-{seed}-{number}") for number in range(share)]
                for number in range(_part(effects, shops, seed)):
                    better.append((watched, trial(watched, _BETTER, f"ab-{seed}-{number}")))
                    harmful.append((watched, trial(watched, _HARMFUL, f"bad-{seed}-{number}")))
            log(f"shop {seed}: trials of {len(watched.looks)} looks each in {watch.seconds:.0f} s")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, Stopwatch() as watch:
        road = stopped_on_the_road(Path(folder), lived[0], days_before)
    log(f"the whole road: {watch.seconds:.0f} s")
    found = _same(same) | _better(better) | _harmful(harmful)
    return {
        **found,
        "looks": len(same[0].found) if same else 0,
        "assignment_us": round(_assignment_us(), 3),
        "road_stopped_after_days": road.days,
        "road_reason": road.reason,
        "road_answers": road.answers,
        "kept_its_promises": bool(
            _all(found, "aa_false_positive_share", 0.05)
            and found["aa_ratio_alarm_share"] <= RATIO_LEVEL  # type: ignore[operator]
            and found["ab_found_share"] >= 0.8  # type: ignore[operator]
            and found["harmful_stopped_share"] == 1.0
            and road.days is not None
        ),
        "seconds": round(whole.seconds + watch.seconds, 1),
    }


def _same(trials: Sequence[Trial]) -> dict[str, Value]:
    """How often a test of the control against itself claimed something at any look."""
    count = max(1, len(trials))
    told: dict[str, Value] = {"aa_repetitions": len(trials)}
    for metric in METRICS:
        claimed = [
            any(c.verdict != "undecided" for f in one.found for c in f.comparisons if c.metric == metric)
            for one in trials
        ]
        usual = [any(naive(f, one.experiment.level)[metric] for f in one.found) for one in trials]
        told[f"aa_false_positive_share_{metric}"] = round(sum(claimed) / count, 4)
        told[f"aa_false_positive_share_{metric}_single_look_test"] = round(sum(usual) / count, 4)
    anything = sum(any(c.verdict != "undecided" for f in one.found for c in f.comparisons) for one in trials)
    told["aa_any_metric_false_positive_share"] = round(anything / count, 4)
    stopped = sum(any(f.harms for f in one.found) for one in trials)
    alarms = sum(any(not f.trusted for f in one.found) for one in trials)
    told["aa_guardrail_stop_share"] = round(stopped / count, 4)
    told["aa_ratio_alarm_share"] = round(alarms / count, 4)
    kept = [c.effect.kept for one in trials for c in one.found[-1].comparisons if c.metric == "ctr"]
    told["cuped_variance_left_ctr"] = round(float(np.mean(kept)), 3) if kept else None
    return told


def _better(trials: Sequence[tuple[Watched, Trial]]) -> dict[str, Value]:
    """How often the planted lift was found, when, and how often all intervals held the truth."""
    days, lifts, covered = [], [], []
    for watched, one in trials:
        first = [
            at
            for at, f in enumerate(one.found)
            if any(c.verdict == "better" for c in f.comparisons if c.metric == "ctr")
        ]
        days += [(int(watched.looks[first[0]]) - watched.started) / DAY_US] if first else []
        inside = []
        for at, f in enumerate(one.found):
            [ctr] = [c.effect for c in f.comparisons if c.metric == "ctr"]
            inside.append(ctr.low <= true_difference(watched, _BETTER, at) <= ctr.high)
        covered.append(all(inside))
        [last] = [c.effect.lift for c in one.found[-1].comparisons if c.metric == "ctr"]
        lifts.append(last)
    shops = {id(watched): watched for watched, _ in trials}.values()
    true = [_true_lift(watched, _BETTER) for watched in shops]
    return {
        "ab_repetitions": len(trials),
        "ab_planted_lift_ctr": round(float(np.mean(true)), 4) if true else None,
        "ab_estimated_lift_ctr": round(float(np.mean(lifts)), 4) if lifts else None,
        "ab_found_share": round(len(days) / max(1, len(trials)), 4),
        "ab_found_after_days_median": round(float(np.median(days)), 2) if days else None,
        "ab_truth_inside_at_every_look_share": round(float(np.mean(covered)), 4) if covered else None,
    }


def _harmful(trials: Sequence[tuple[Watched, Trial]]) -> dict[str, Value]:
    """How often and when the guardrails stopped the harmful variant."""
    days = []
    for watched, one in trials:
        first = [at for at, f in enumerate(one.found) if f.harms]
        days += [(int(watched.looks[first[0]]) - watched.started) / DAY_US] if first else []
    shops = {id(watched): watched for watched, _ in trials}.values()
    true = [_true_lift(watched, _HARMFUL) for watched in shops]
    return {
        "harmful_repetitions": len(trials),
        "harmful_true_change_ctr": round(float(np.mean(true)), 4) if true else None,
        "harmful_stopped_share": round(len(days) / max(1, len(trials)), 4),
        "harmful_stopped_after_days_median": round(float(np.median(days)), 2) if days else None,
        "harmful_stopped_after_days_most": round(max(days), 2) if days else None,
    }


def _true_lift(watched: Watched, arm: int) -> float:
    last = len(watched.looks) - 1
    impressions, clicks = (watched.sums[last, 0, one].sum() for one in range(2))
    return true_difference(watched, arm, last) / float(clicks / impressions)


def _all(found: dict[str, Value], prefix: str, most: float) -> bool:
    shares = [found[f"{prefix}_{metric}"] for metric in METRICS]
    return all(isinstance(share, float) and isfinite(share) and share <= most for share in shares)


def _part(count: int, shops: int, seed: int) -> int:
    return count // shops + (seed < count % shops)


def _assignment_us() -> float:
    return timeit.timeit(lambda: bucket("main", "user-1234567"), number=100_000) * 10.0


if __name__ == "__main__":
    sys.exit(main())
