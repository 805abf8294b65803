"""One experiment after another on the same shoppers, each divided anew and looked at every few hours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from benchmarks.experiment_shoppers import ARMS, COUNTED, Doubles, Int64s, Lived
from reco_assets.experiments.assignment import Bools, bucket, held
from reco_assets.experiments.board import Board, start
from reco_assets.experiments.definition import Experiment, Variant
from reco_assets.experiments.findings import Findings, findings
from reco_assets.experiments.metrics import Guardrail
from reco_assets.experiments.sequential import width
from reco_assets.simulator.parameters import DAY_US

GUARDRAILS: Final = (Guardrail("ctr", 0.1, True), Guardrail("revenue_per_user", 0.05, True))
#: User-days at which the intervals are tightest.
PLANNED: Final = 5_000
METRICS: Final = ("ctr", "conversion", "revenue_per_user")
_LAYER: Final = "main"


@dataclass(frozen=True)
class Watched:
    """Sums of each shopper up to each look.

    Attributes
    ----------
    looks
        ``int64[looks]``, UTC microseconds.
    sums
        ``float64[looks, arms, COUNTED, users]``.
    visits, days
        ``int64[looks, users]``: visits, and days with one.
    before
        ``float64[COUNTED, users]`` of the days before the experiment.
    bucket
        ``int64[users]``.
    """

    started: int
    looks: Int64s
    sums: Doubles
    visits: Int64s
    days: Int64s
    before: Doubles
    bucket: Int64s

    @classmethod
    def of(cls, lived: Lived, days_before: int, hours: int) -> Watched:
        """Look every ``hours`` from ``days_before`` days after the first visit on."""
        began = lived.parameters.start_us + days_before * DAY_US
        past = lived.time < began
        end = lived.parameters.start_us + lived.parameters.days * DAY_US
        looks = np.arange(began, end, hours * 3_600_000_000) + hours * 3_600_000_000
        users = lived.users

        def summed(which: Int64s, arm: int) -> Doubles:
            return np.stack(
                [
                    np.bincount(lived.user[which], lived.counted[arm, which, one], users)
                    for one in range(len(COUNTED))
                ]
            )

        day = lived.time // DAY_US
        sums, visits, days = [], [], []
        for look in looks:
            which = np.flatnonzero(~past & (lived.time < look))
            sums.append(np.stack([summed(which, arm) for arm in range(len(ARMS))]))
            visits.append(np.bincount(lived.user[which], minlength=users))
            distinct = np.unique(np.stack([lived.user[which], day[which]]), axis=1)
            days.append(np.bincount(distinct[0], minlength=users))
        return cls(
            began,
            looks,
            np.stack(sums),
            np.stack(visits),
            np.stack(days),
            summed(np.flatnonzero(past), 0),
            np.array([bucket(_LAYER, f"u{user}") for user in range(users)]),
        )


@dataclass(frozen=True)
class Trial:
    """One experiment: which users were treated, and what was found at each look."""

    experiment: Experiment
    treated: Bools
    found: tuple[Findings, ...]


def trial(watched: Watched, arm: int, salt: str) -> Trial:
    """Hold ``ARMS[arm]`` against the control, with users divided by ``salt``."""
    made = Experiment(
        name="trial",
        layer=_LAYER,
        salt=salt,
        variants=(Variant("control"), Variant("treatment")),
        metrics=METRICS,
        guardrails=GUARDRAILS,
        planned=PLANNED,
    )
    board = start(Board(), made, (0.5, 0.5), watched.started)
    [experiment] = board.experiments
    treated = held(experiment.variants[1].buckets)[watched.bucket]
    return Trial(experiment, treated, tuple(_found(watched, experiment, treated, arm)))


def _found(watched: Watched, experiment: Experiment, treated: Bools, arm: int) -> Iterator[Findings]:
    for at, look in enumerate(watched.looks.tolist()):
        here = watched.visits[at] > 0
        sums = np.where(treated, watched.sums[at, arm], watched.sums[at, 0])[:, here]
        impressions, clicks, purchases, revenue = sums
        users = pl.DataFrame(
            {
                "variant": np.where(treated[here], "treatment", "control"),
                "user_days": watched.days[at, here],
                "users": np.ones(int(here.sum()), np.int64),
                "impressions": impressions,
                "clicks": clicks,
                "converted": (purchases > 0).astype(np.int64),
                "revenue": revenue,
                "clicks_before": watched.before[1, here],
                "purchases_before": watched.before[2, here],
                "revenue_before": watched.before[3, here],
            }
        )
        yield findings(experiment, users, look)


def true_difference(watched: Watched, arm: int, at: int) -> float:
    """Clicks per impression of ``ARMS[arm]`` less the control's, had everybody been shown each, at a look."""
    impressions, clicks = (watched.sums[at, :, one].sum(axis=1) for one in range(2))
    return float(clicks[arm] / impressions[arm] - clicks[0] / impressions[0])


def naive(one: Findings, level: float) -> dict[str, bool]:
    """Whether each metric would have been claimed by the usual test of a single look."""
    claimed = {}
    for found in one.comparisons:
        half = (found.effect.high - found.effect.low) / 2
        error = half / width(found.user_days, PLANNED, level)
        claimed[found.metric] = (
            bool(np.isfinite(half) and error > 0) and abs(found.effect.difference) > 1.96 * error
        )
    return claimed
