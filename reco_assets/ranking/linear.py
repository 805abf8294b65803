"""The blend of sources, learned: one weight a source, by a listwise softmax over each decision.

It ranks where there is too little to grow trees from, and is what the trees start from elsewhere: they
cut a score into steps, and would have to spend most of themselves on drawing one source's order again.
Source: Cao et al., "Learning to rank: from pairwise approach to listwise approach", 2007 (ListNet).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.optimize import minimize

from reco_assets.ranking.examples import Examples
from reco_assets.recommender.ranker import shares_of

#: Ridge on the weights.
REGULARISATION: Final = 1e-3
#: Steps of the optimiser at the most.
STEPS: Final = 60


def fit_blend(examples: Examples) -> tuple[float, ...]:
    """Weights of the sources' shares, none below 0; all 0 where nothing speaks for any.

    A source is never taken to speak against what it proposes: free weights fit the examples better and
    rank worse.

    Minimises the cross-entropy between each decision's gains ``2**grade - 1`` and the softmax of its
    candidates' blends. Cost: rows x sources x ``STEPS``.
    """
    shares = shares_of(examples.features).astype(np.float64)
    width = int(shares.shape[1])
    if not len(examples):
        return (0.0,) * width
    starts = np.flatnonzero(np.diff(examples.decision, prepend=-1))
    segment = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(examples))))
    gain = np.exp2(examples.grade.astype(np.float64)) - 1.0
    total = np.add.reduceat(gain, starts)
    everything = total.sum()

    def loss(weights: np.ndarray[tuple[int], np.dtype[np.float64]]) -> tuple[float, np.ndarray]:
        logits = shares @ weights
        logits -= np.maximum.reduceat(logits, starts)[segment]
        odds = np.exp(logits)
        sums = np.add.reduceat(odds, starts)
        value = -(gain * (logits - np.log(sums)[segment])).sum() / everything
        slope = shares.T @ (odds / sums[segment] * total[segment] - gain) / everything
        return (
            float(value + REGULARISATION * (weights @ weights) / 2.0),
            slope + REGULARISATION * weights,
        )

    found = minimize(
        loss, np.zeros(width), jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * width,
        options={"maxiter": STEPS},
    )  # fmt: skip
    return tuple(round(float(weight), 6) for weight in found.x)
