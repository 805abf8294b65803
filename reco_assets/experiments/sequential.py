"""Intervals and tests that stay right however often one looks, and whenever one stops.

**Means.** A confidence sequence: with probability 1 - level the true value is in all of its intervals at
once. Asymptotic confidence sequences of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform
central limit theory and asymptotic confidence sequences" (Annals of Statistics 2024, theorem 2.2): Robbins'
normal mixture with the estimated variance.

Its clock counts user-days, since the outcomes of the users who are there go on growing. A user's days go
together, so two looks resemble each other more than for independent observations, and by Slepian's
inequality a boundary is crossed no more often than for these.

**Counts.** The Dirichlet mixture of Lindon and Malek, "Anytime-valid inference for multinomial count data"
(NeurIPS 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, log1p, sqrt
from typing import Final

import numpy as np
from scipy.special import gammaln

#: How much the mixture of counts believes in the planned shares beforehand, as so many users.
_CONCENTRATION: Final = 1_000.0


def width(clock: float, planned: float, level: float) -> float:
    """Half of the interval's width at ``clock``, in standard errors.

    Parameters
    ----------
    clock, planned
        Observations so far, and those at which the interval is to be tightest.
    level
        Probability that the sequence ever leaves the truth out.
    """
    x = clock * _mixed(planned, level)
    return sqrt((1.0 + 1.0 / x) * (log1p(x) - 2.0 * log(level)))


def p_value(z: float, clock: float, planned: float, level: float) -> float:
    """The smallest level at which an estimate ``z`` standard errors from zero leaves it out; at most 1.

    ``level`` tunes the mixture, as in :func:`width`: below it exactly where the interval leaves zero out.
    """
    x = clock * _mixed(planned, level)
    exponent = 0.5 * log1p(x) - z * z * x / (2.0 * (1.0 + x))
    return exp(min(0.0, exponent))


def ratio_p_value(counts: Sequence[int], shares: Sequence[float]) -> float:
    """How well ``counts`` of users agree with the planned ``shares``, at every look at once; at most 1.

    Below 0.01 the assignment or the logging is broken, and no result of the experiment can be trusted.
    """
    told = np.asarray(counts, np.float64)
    planned = np.asarray(shares, np.float64)
    planned = planned / planned.sum()
    before = _CONCENTRATION * planned
    evidence = (
        gammaln(before.sum())
        - gammaln(before.sum() + told.sum())
        + float((gammaln(before + told) - gammaln(before) - told * np.log(planned)).sum())
    )
    return exp(min(0.0, -float(evidence)))


def _mixed(planned: float, level: float) -> float:
    """The mixture's precision for which the interval is tightest at ``planned`` (appendix B.2 there)."""
    twice = -2.0 * log(level)
    return (twice + log1p(twice)) / planned
