"""What each feature added to a ranker's scores, exactly: SHAP values of its trees, and the blend's terms.

Source: Lundberg et al., "Consistent individualized feature attribution for tree ensembles", 2018; XGBoost
computes them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xgboost

from reco_assets.recommender.ranker import Ranker, shares_of
from reco_assets.recommender.types import Floats


@dataclass(frozen=True)
class Contributions:
    """Terms that add up to the scores of ``n`` products.

    Attributes
    ----------
    base
        What a product of which nothing is known would score.
    trees
        ``float32[n, features]``: what each feature adds by the trees.
    blend
        ``float32[n, sources]``: what each source's share adds by the blend below the trees; zeros without
        one.
    """

    base: float
    trees: Floats
    blend: Floats

    @classmethod
    def of(cls, ranker: Ranker, matrix: Floats) -> Contributions:
        """Of the rows of a ranking matrix, ``float32[n, features]``."""
        terms = ranker.booster.predict(
            xgboost.DMatrix(matrix, nthread=1), pred_contribs=True, validate_features=False
        ).reshape(len(matrix), -1)
        shares = shares_of(matrix)
        blend = np.zeros_like(shares) if ranker.blend is None else shares * ranker.blend
        return cls(float(terms[0, -1]) if len(terms) else 0.0, terms[:, :-1], blend)
