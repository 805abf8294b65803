"""The learned blend: it finds the source that is right, and the trees start from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reco_assets.candidates.sources import SOURCES
from reco_assets.features.catalogue import RANKING_FEATURES, names
from reco_assets.ranking.examples import Examples
from reco_assets.ranking.lambdamart import RankerParameters, train_ranker
from reco_assets.ranking.linear import fit_blend
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.ranker import Ranker, shares_of
from tests.recommender.shops import Shape, bundle

COLUMNS = list(names(RANKING_FEATURES))
EACH = 20


def decisions(right: str, count: int, seed: int, noise: float = 0.0) -> Examples:
    """Decisions of 20 candidates with random shares, of which the one came true that ``right`` ranks first.

    In a share ``noise`` of them, a random one did.
    """
    rng = np.random.default_rng(seed)
    features = np.zeros((count * EACH, len(COLUMNS)), np.float32)
    for name in SOURCES:
        features[:, COLUMNS.index(f"share_{name}")] = rng.random(count * EACH)
    best = features[:, COLUMNS.index(f"share_{right}")].reshape(count, EACH).argmax(axis=1)
    best = np.where(rng.random(count) < noise, rng.integers(0, EACH, count), best)
    grade = np.zeros((count, EACH), np.int8)
    grade[np.arange(count), best] = 1
    return Examples(
        features,
        grade.reshape(-1),
        np.repeat(np.arange(count, dtype=np.int32), EACH),
        np.zeros(count * EACH, np.int32),
        np.zeros(count, np.int64),
        np.zeros(count, np.int32),
    )


def found_first(ranker: Ranker, held: Examples) -> float:
    """Share of the decisions whose first candidate came true."""
    first = ranker.score(held.features).reshape(-1, EACH).argmax(axis=1)
    return float((held.grade.reshape(-1, EACH)[np.arange(len(first)), first] == 1).mean())


@pytest.mark.parametrize("right", ["also_viewed", "popular"])
def test_the_source_that_is_right_gets_the_weight(right: str) -> None:
    weights = dict(zip(SOURCES, fit_blend(decisions(right, 300, 1, noise=0.2)), strict=True))
    others = [weight for name, weight in weights.items() if name != right]
    assert weights[right] > 5 * max(others)
    assert min(others) >= 0.0


def test_without_examples_no_source_has_a_word() -> None:
    assert not any(fit_blend(decisions("popular", 0, 1)))


@pytest.mark.parametrize("nothing", [0.0, np.nan])
def test_sources_that_say_nothing_get_no_weight(nothing: float) -> None:
    silent = decisions("popular", 50, 1)
    assert not any(fit_blend(replace(silent, features=np.full_like(silent.features, nothing))))


def test_the_scale_of_a_decision_is_its_own() -> None:
    """Two decisions that ask for opposite sources outweigh each other, however many candidates they have."""
    both = [decisions("also_viewed", 200, 1), decisions("popular", 200, 2)]
    mixed = Examples(
        np.concatenate([one.features for one in both]),
        np.concatenate([one.grade for one in both]),
        np.concatenate([both[0].decision, both[1].decision + 200]),
        *(np.concatenate([getattr(one, name) for one in both]) for name in ("item", "time", "user")),
    )
    weights = dict(zip(SOURCES, fit_blend(mixed), strict=True))
    assert weights["also_viewed"] == pytest.approx(weights["popular"], rel=0.3)


def test_the_trees_stand_upon_the_blend(tmp_path: Path) -> None:
    train, held = decisions("repeat", 2_000, 1, noise=0.3), decisions("repeat", 300, 2, noise=0.3)
    trained = train_ranker(train, held, RankerParameters(rounds=10), threads=2)
    assert trained.ranker.blend is not None
    np.testing.assert_allclose(trained.ranker.blend, trained.blend, rtol=1e-6)
    alone = trained.ranker.booster.inplace_predict(held.features)
    blended = shares_of(held.features) @ trained.ranker.blend
    np.testing.assert_allclose(trained.ranker.score(held.features), alone + blended, rtol=1e-4, atol=1e-5)
    # 0.7 could be known; trees on the noise take a little of it away, and more without the blend
    bare = train_ranker(train, held, RankerParameters(rounds=10, upon_blend=False), threads=2)
    assert found_first(trained.ranker, held) > max(0.6, found_first(bare.ranker, held))


def test_a_bundle_brings_the_blend_back(tmp_path: Path) -> None:
    made = bundle(Shape(20, 3, 200, 0.0, True, 1))
    assert made.ranker is not None
    weights = [0.5] * len(SOURCES)
    ranker = Ranker.upon(made.ranker.booster.copy(), weights)
    again = Bundle.load(replace(made, ranker=ranker).save(tmp_path / "bundle"))
    assert again.ranker is not None
    matrix = np.random.default_rng(1).random((50, len(COLUMNS))).astype(np.float32)
    np.testing.assert_array_equal(again.ranker.score(matrix), ranker.score(matrix))
    assert not np.array_equal(ranker.score(matrix), made.ranker.score(matrix))
