"""The laid-out trees give XGBoost's own scores, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
import xgboost

from reco_assets.recommender.ranker import Ranker
from reco_assets.recommender.trees import Trees
from reco_assets.recommender.types import Floats

WIDTH = 12


def rows(n: int, seed: int = 0) -> Floats:
    """Random rows with unknown values, and values that lie exactly on one another."""
    rng = np.random.default_rng(seed)
    matrix = np.round(rng.normal(size=(n, WIDTH)), 1).astype(np.float32)
    matrix[rng.random(matrix.shape) < 0.2] = np.nan
    return matrix


def train(trees: int = 30, *, seed: int = 0, **parameters: str | float) -> xgboost.Booster:
    labels = np.random.default_rng(seed).integers(0, 4, 2000)
    learned = xgboost.DMatrix(rows(2000, seed), labels, group=[40] * 50)
    return xgboost.train({"objective": "rank:ndcg", "nthread": 1, **parameters}, learned, trees)


@pytest.mark.parametrize("depth", [1, 3, 6, 7, 10])
@pytest.mark.parametrize("base", [0.0, 0.7, -3.0])
def test_every_score_is_xgboosts(depth: int, base: float) -> None:
    booster = train(max_depth=depth, base_score=base)
    trees = Trees.of_booster(booster)
    assert trees is not None
    for n in (0, 1, 511, 512, 513, 1000):
        asked = rows(n, seed=n)
        expected = booster.inplace_predict(asked, validate_features=False) if n else np.empty(0, np.float32)
        np.testing.assert_array_equal(trees.score(asked), expected, strict=True)


def test_a_tree_of_several_masks_is_walked_through_all_of_them() -> None:
    trees = Trees.of_booster(train(1, max_depth=10, min_child_weight=0.0))
    assert trees is not None
    assert len(trees.ends) > 4
    assert trees.last.tolist() == [False] * (len(trees.ends) - 1) + [True]


def test_a_part_of_a_booster_is_laid_out_alone() -> None:
    booster = train(max_depth=4)[:7]
    trees = Trees.of_booster(booster)
    assert trees is not None
    np.testing.assert_array_equal(trees.score(rows(50)), booster.inplace_predict(rows(50)))


def test_a_ranker_that_learned_nothing_scores_alike() -> None:
    flat = train(3, min_child_weight=1e9)
    trees = Trees.of_booster(flat)
    assert trees is not None
    assert len(trees.splits) == 0
    np.testing.assert_array_equal(trees.score(rows(5)), flat.inplace_predict(rows(5)))


@pytest.mark.parametrize(
    "parameters",
    [
        {"max_depth": 10, "min_child_weight": 0.0},
        {"objective": "binary:logistic"},
        {"booster": "dart"},
    ],
    ids=["too large", "another objective", "another booster"],
)
def test_what_it_cannot_lay_out_xgboost_walks_itself(
    parameters: dict[str, str | float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reco_assets.recommender.trees.MOST_LEAVES", 64)
    labels = (np.nan_to_num(rows(2000)).sum(axis=1) > 0).astype(np.float32)
    learned = xgboost.DMatrix(rows(2000), labels)
    booster = xgboost.train({"objective": "rank:pairwise", "nthread": 1, **parameters}, learned, 10)
    assert Trees.of_booster(booster) is None
    np.testing.assert_array_equal(Ranker(booster).score(rows(50)), booster.inplace_predict(rows(50)))


def test_rows_of_any_memory_order_are_read_right() -> None:
    trees = Trees.of_booster(train(max_depth=5))
    assert trees is not None
    np.testing.assert_array_equal(trees.score(np.asfortranarray(rows(60))), trees.score(rows(60)))
