"""Bootstrap intervals of means, over persons or sessions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]


def bootstrap_intervals(
    values: Doubles, group: npt.NDArray[np.int64], rounds: int = 1000, level: float = 0.95, seed: int = 7
) -> tuple[Doubles, Doubles]:
    """Percentile intervals of the mean of every column (Efron, 1979).

    Parameters
    ----------
    values
        ``float64[n, columns]``: one row a question.
    group
        ``int64[n]``: rows of one person or session are drawn together, since they are alike.

    Returns
    -------
    Lower and upper ends, ``float64[columns]`` each. All columns share their draws.
    """
    _, member = np.unique(group, return_inverse=True)
    counts = np.bincount(member).astype(np.float64)
    sums = np.stack([np.bincount(member, column) for column in values.T], axis=1)
    rng = np.random.default_rng(seed)
    means = np.empty((rounds, values.shape[1]))
    for at in range(rounds):
        drawn = np.bincount(rng.integers(0, len(counts), len(counts)), minlength=len(counts))
        means[at] = (drawn @ sums) / (drawn @ counts)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high
