"""The same questions, asked with every value of a number of the policy, in turn."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.quality.questions import SHOWN, Question
from benchmarks.quality.shop_judging import METRICS, scored
from reco_assets.errors import BadInput
from reco_assets.ranking.evaluation import recommended
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.types import Int32s, Policy

Doubles = npt.NDArray[np.float64]

#: What a share is turned to, and what a count is.
SHARES: Final = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.85, 1.0)
COUNTS: Final = (50, 100, 200, 300, 400, 600, 1_000)


@dataclass(frozen=True)
class Played:
    """What was answered with each value.

    Attributes
    ----------
    shown
        ``int32[values, questions, SHOWN]`` item rows; -1 for a place that stayed empty.
    metrics
        ``float64[questions, values, METRICS]``.
    seconds
        ``float64[questions, values]``: of each answer.
    """

    shown: Int32s
    metrics: Doubles
    seconds: Doubles

    @property
    def flat(self) -> bool:
        """Whether no value changes any answer."""
        return bool((self.shown == self.shown[:1]).all())


def turned(policy: Policy) -> dict[str, dict[float, Policy]]:
    """By number of ``policy``: its own value and the others that a policy may have, each as a policy."""
    found: dict[str, dict[float, Policy]] = {}
    for one in fields(policy):
        now = getattr(policy, one.name)
        if isinstance(now, bool):
            continue
        found[one.name] = {}
        for value in sorted({*(COUNTS if isinstance(now, int) else SHARES), now}):
            try:
                found[one.name][value] = policy.changed({one.name: value})
            except BadInput:
                continue  # a value that the policy itself refuses is no point of the curve
    return found


def played(asked: Sequence[Question], policies: Sequence[Policy], bundle: Bundle) -> Played:
    """Ask each question with each of ``policies``, one after the other and a new one first each time.

    So whatever else the machine does, and what the first to ask finds cold, hits all of them alike.
    """
    shown = np.full((len(policies), len(asked), SHOWN), -1, np.int32)
    metrics = np.empty((len(asked), len(policies), len(METRICS)))
    seconds = np.empty((len(asked), len(policies)))
    for row, one in enumerate(asked):
        for at in np.roll(np.arange(len(policies)), row).tolist():
            begun = time.perf_counter()
            found = recommended(one.request, one.state, bundle, policies[at], one.now)
            seconds[row, at] = time.perf_counter() - begun
            shown[at, row, : len(found)] = found
            metrics[row, at] = scored(found, one.wanted)
    return Played(shown, metrics, seconds)
