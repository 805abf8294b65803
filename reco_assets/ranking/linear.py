"""What ranks by the sources' words alone: their learned blend, or one source where that does better.

The blend has one weight a source, learned by a listwise softmax over each decision.

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
from reco_assets.recommender.types import Floats, Int64s

#: Ridge on the weights.
REGULARISATION: Final = 1e-3
#: Steps of the optimiser at the most.
STEPS: Final = 60
#: Places of a list that are looked at where one source is compared with the blend.
SEEN: Final = 10


def fit_blend(examples: Examples) -> tuple[float, ...]:
    """Weights of the sources' shares, none below 0; all 0 where nothing speaks for any.

    A source is never taken to speak against what it proposes: free weights fit the examples better and
    rank worse.

    Minimises the cross-entropy between each decision's gains ``2**grade - 1`` and the softmax of its
    candidates' blends. Cost: rows x sources x ``STEPS``.
    """
    return tuple(_fitted(shares_of(examples.features), examples))


def fit_base(examples: Examples, later: Examples) -> tuple[float, ...]:
    """The blend that ``examples`` teach, or one source alone, where that ranks ``later`` decisions better.

    Likelihood is about the whole of a list and its head about what is shown: of many products that come
    true, a blend may win the first and lose the second. A single source has the weight that is likeliest.
    """
    blend = fit_blend(examples)
    shares, later_shares = shares_of(examples.features), shares_of(later.features)
    alone = [_ndcg(later_shares[:, source], later) for source in range(later_shares.shape[1])]
    best = int(np.argmax(alone))
    if alone[best] <= _ndcg(later_shares @ np.array(blend, np.float32), later):
        return blend
    weights = [0.0] * len(blend)
    weights[best] = _fitted(shares[:, [best]], examples)[0]
    return tuple(weights)


def _fitted(words: Floats, examples: Examples) -> list[float]:
    """The likeliest weight of each column of ``words``, which have a row for each of ``examples``."""
    shares = words.astype(np.float64)
    width = int(shares.shape[1])
    if not len(examples):
        return [0.0] * width
    starts, segment = _decisions(examples)
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
    return [round(float(weight), 6) for weight in found.x]


def _decisions(examples: Examples) -> tuple[Int64s, Int64s]:
    """Where each decision begins, and the number of each row's decision, from 0."""
    starts = np.flatnonzero(np.diff(examples.decision, prepend=-1))
    return starts, np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(examples))))


def _ndcg(scores: Floats, examples: Examples) -> float:
    """Mean NDCG of the first ``SEEN`` of each decision, as the ranker's own training counts it."""
    starts, segment = _decisions(examples)
    place = np.arange(len(examples)) - starts[segment]
    gain = np.exp2(examples.grade.astype(np.float64)) - 1.0
    discount = np.where(place < SEEN, 1.0 / np.log2(place + 2.0), 0.0)
    found, most = (
        np.add.reduceat(gain[np.lexsort((-by, segment))] * discount, starts)
        for by in (scores, examples.grade.astype(np.float32))
    )
    return float((found / most).mean())
