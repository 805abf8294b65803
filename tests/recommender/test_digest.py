"""Digests tell two computations apart, and say in what."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reco_assets.candidates.sources import Candidates
from reco_assets.features.catalogue import RANKING_FEATURES, names
from reco_assets.recommender.digest import Digest
from reco_assets.recommender.recommend import recommend
from reco_assets.recommender.types import Floats, Int32s, Policy, Request
from tests.candidates.shops import NOW
from tests.recommender.shops import Shape, bundle, state

WIDTH = len(RANKING_FEATURES)


def made(items: Int32s, matrix: Floats) -> Digest:
    return Digest.of(Candidates(items, np.zeros((len(items), 1), np.float32)), matrix)


@given(row=st.integers(0, 19), column=st.integers(0, WIDTH - 1), seed=st.integers(0, 100))
def test_one_bit_of_one_value_is_found_in_its_column(row: int, column: int, seed: int) -> None:
    items = np.arange(20, dtype=np.int32)
    matrix = np.random.default_rng(seed).random((20, WIDTH)).astype(np.float32)
    other = matrix.copy()
    other[row, column] = np.nextafter(other[row, column], np.float32(9.0))
    assert made(items, matrix) == made(items, matrix.copy())
    assert made(items, matrix).differing(made(items, other)) == (names(RANKING_FEATURES)[column],)


def test_unknown_values_are_equal_to_themselves() -> None:
    matrix = np.full((3, WIDTH), np.nan, np.float32)
    items = np.arange(3, dtype=np.int32)
    assert made(items, matrix) == made(items, matrix.copy())


def test_the_order_of_candidates_counts() -> None:
    matrix = np.zeros((2, WIDTH), np.float32)
    one, other = made(np.array([1, 2], np.int32), matrix), made(np.array([2, 1], np.int32), matrix)
    assert one.candidates != other.candidates
    assert one.differing(other) == ()


@pytest.mark.parametrize("with_ranker", [True, False])
def test_a_witness_changes_no_answer_and_hears_of_all_candidates(with_ranker: bool) -> None:
    used = bundle(Shape(40, 4, 300, 0.1, with_ranker, seed=5))
    person = state(40, [3, 9, 4], [0, 1, 0], [7])
    heard: list[tuple[Candidates, Floats]] = []
    told = recommend(
        Request(), person, used, Policy(), NOW, lambda found, matrix: heard.append((found, matrix))
    )
    assert told == recommend(Request(), person, used, Policy(), NOW)
    ((candidates, matrix),) = heard
    assert len(candidates.items) == told.candidates
    assert matrix.shape == (told.candidates, WIDTH)
