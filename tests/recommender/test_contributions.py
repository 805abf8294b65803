"""The terms that a score is taken apart into add up to it."""

from __future__ import annotations

import numpy as np
import pytest
import xgboost

from reco_assets.candidates.sources import SOURCES
from reco_assets.features.catalogue import RANKING_FEATURES
from reco_assets.recommender.contributions import Contributions
from reco_assets.recommender.ranker import Ranker
from tests.recommender.shops import ranker


@pytest.mark.parametrize("upon_blend", [False, True])
def test_base_features_and_blend_add_up_to_the_score(upon_blend: bool) -> None:
    used = ranker()
    if upon_blend:
        booster = xgboost.Booster(model_file=used.booster.save_raw("ubj"))
        used = Ranker.upon(booster, [0.5 * number for number in range(len(SOURCES))])
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(7, len(RANKING_FEATURES))).astype(np.float32)
    matrix[rng.random(matrix.shape) < 0.2] = np.nan
    terms = Contributions.of(used, matrix)
    assert bool(terms.blend.any()) is upon_blend
    total = terms.base + terms.trees.sum(axis=1) + terms.blend.sum(axis=1)
    np.testing.assert_allclose(total, used.score(matrix), rtol=1e-5, atol=1e-5)
