"""Looking for better hyper-parameters of the ranker within a given time, on the validation decisions.

Source: Bergstra and Bengio, "Random search for hyper-parameter optimization", 2012.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from reco_assets.ranking.examples import Examples
from reco_assets.ranking.lambdamart import RankerParameters, train_ranker

#: What is drawn from, all values alike.
SPACE: Final[dict[str, tuple[float | int | bool, ...]]] = {
    "learning_rate": (0.03, 0.05, 0.08, 0.1, 0.15),
    "max_depth": (4, 5, 6, 7, 8),
    "min_child_weight": (1.0, 5.0, 10.0, 30.0, 100.0),
    "top": (10, 20, 40),
    "subsample": (0.6, 0.8, 0.9, 1.0),
    "colsample_bytree": (0.4, 0.6, 0.8, 1.0),
    "reg_lambda": (1.0, 5.0, 20.0, 100.0),
    "upon_blend": (True, True, True, False),
}


@dataclass(frozen=True)
class Attempt:
    """One set of parameters, its NDCG@10 on the validation decisions, its trees and seconds."""

    parameters: RankerParameters
    ndcg: float
    trees: int
    seconds: float


def drawn(start: RankerParameters, seed: int) -> Iterator[RankerParameters]:
    """``start``, then random parameters of ``SPACE`` without end; the same for the same seed."""
    yield start
    dice = np.random.default_rng(seed)
    while True:
        chosen = {name: values[dice.integers(len(values))] for name, values in SPACE.items()}
        yield replace(start, **chosen)  # type: ignore[arg-type]


def search(
    train: Examples,
    validation: Examples,
    start: RankerParameters,
    seconds: float,
    threads: int,
    seed: int = 7,
    told: Callable[[Attempt], None] = lambda attempt: None,
    clock: Callable[[], float] = time.monotonic,
) -> list[Attempt]:
    """Attempts in their order; none begins when what the longest took would not fit into ``seconds``.

    ``start`` is always tried. The test decisions have no part in it.

    Raises
    ------
    BadInput
        Not one decision has a candidate that came true.
    """
    begun, attempts = clock(), list[Attempt]()
    for parameters in drawn(start, seed):
        at = clock()
        trained = train_ranker(train, validation, parameters, threads)
        attempts.append(Attempt(parameters, trained.validation_ndcg, trained.trees, clock() - at))
        told(attempts[-1])
        if clock() - begun + max(one.seconds for one in attempts) > seconds:
            return attempts
    raise AssertionError("the draws have no end")


def best(attempts: list[Attempt]) -> Attempt:
    """The highest NDCG; of equals the earlier one."""
    return max(attempts, key=lambda one: one.ndcg)
