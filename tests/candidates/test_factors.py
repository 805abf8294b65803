"""Factors find tastes whose right answer can be proved."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from reco_assets.candidates.factors import Factors
from reco_assets.candidates.fit_kernels import solve_rows
from reco_assets.candidates.retriever import EVENT_WEIGHTS
from tests.candidates.shops import NOW, buy, click, log, past, shop, top

#: A checker-board: even people like even products, odd people odd ones, each but one of theirs.
SIZE = 40
BOARD = shop(*(f"p{n:02d}" for n in range(SIZE)))


@pytest.fixture(scope="module")
def board() -> Factors:
    likes = [
        click(f"u{user:02d}", f"p{item:02d}")
        for user in range(SIZE)
        for item in range(SIZE)
        if user % 2 == item % 2 and user != item
    ]
    return Factors.fit(log(BOARD, *likes), BOARD, NOW)


@pytest.mark.parametrize("seen", ["p00", "p07", "p22", "p39"])
def test_a_person_of_one_colour_is_shown_that_colour(board: Factors, seen: str) -> None:
    parity = int(seen[1:]) % 2
    best = top(board, BOARD, past(BOARD, seen), n=SIZE // 2)
    assert {int(item[1:]) % 2 for item in best} == {parity}
    scores = list(top(board, BOARD, past(BOARD, seen), n=SIZE).values())
    assert scores[SIZE // 2 - 1] > 0.15
    assert scores[SIZE // 2] < 0.05


def test_the_newest_event_counts_most(board: Factors) -> None:
    changed = list(top(board, BOARD, past(BOARD, "p00", *["p01"] * 10), n=10))
    assert {int(item[1:]) % 2 for item in changed} == {1}


def test_the_folded_in_vector_solves_the_least_squares(board: Factors) -> None:
    """Hu, Koren, Volinsky: x = (Y'Y + sum c y y' + reg)^-1 sum (1 + c) y."""
    seen = past(BOARD, "p00", buy("me", "p02"), "p05")
    y = board.factors.astype(np.float64)
    left, right = y.T @ y + 0.05 * np.eye(y.shape[1]), np.zeros(y.shape[1])
    for rank, (item, kind) in enumerate(zip(seen.items[::-1], seen.kinds[::-1], strict=True)):
        confidence = 4.0 * float(EVENT_WEIGHTS[kind]) * np.exp(-rank / 4.0)
        left += confidence * np.outer(y[item], y[item])
        right += (1.0 + confidence) * y[item]
    expected = y @ np.linalg.solve(left, right)
    for item, score in top(board, BOARD, seen, n=SIZE).items():
        assert score == pytest.approx(expected[BOARD.row(item)], abs=1e-3)


def test_a_product_without_events_is_scored_but_not_proposed() -> None:
    items = shop("a", "b", "new")
    both = [click(user, item) for user in "uvw" for item in "ab"]
    factors = Factors.fit(log(items, *both), items, NOW)
    assert "new" not in top(factors, items, past(items, "a"))
    assert top(factors, items, past(items, "new")) == {}


def test_a_row_is_moved_to_its_least_squares_solution() -> None:
    """As many steps as factors solve the system: (G + sum (c - 1) y y') x = sum c y."""
    dice = np.random.default_rng(3)
    other = dice.normal(size=(9, 4)).astype(np.float32)
    own = np.zeros((2, 4), np.float32)
    gram = (other.T @ other + 0.05 * np.eye(4)).astype(np.float32)
    ptr, columns = np.array([0, 3, 5]), np.array([1, 4, 7, 0, 8], np.int32)
    confidence = np.array([3.0, 5.0, 2.0, 9.0, 4.0], np.float32)
    solve_rows(ptr, columns, confidence, own, other, gram, 4, 1)
    for row, (begin, end) in enumerate(pairwise(ptr)):
        y, c = other[columns[begin:end]].astype(np.float64), confidence[begin:end]
        expected = np.linalg.solve(gram + (y * (c - 1.0)[:, None]).T @ y, c @ y)
        assert own[row] == pytest.approx(expected, abs=1e-4)
