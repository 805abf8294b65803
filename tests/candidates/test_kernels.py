"""The compiled loops give what the plainest Python gives."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from reco_assets.candidates.fit_kernels import group_rows
from reco_assets.candidates.kernels import dot_rows, head_scores, strongest, summed_by, top_rows, union

Rows = st.lists(st.integers(0, 19), max_size=20, unique=True)


@settings(max_examples=200, deadline=None)
@given(rows=Rows, scores=st.lists(st.integers(0, 4), min_size=20, max_size=20), n=st.integers(-1, 25))
def test_the_top_is_the_head_of_the_sorted_rows(rows: list[int], scores: list[int], n: int) -> None:
    asked = np.array(rows, np.int32)
    found = top_rows(asked, np.array(scores, np.float32)[asked], n)
    assert found.tolist() == sorted(rows, key=lambda row: (-scores[row], row))[: max(n, 0)]


@settings(max_examples=200, deadline=None)
@given(lists=st.lists(Rows, max_size=4), blocked=st.lists(st.integers(0, 19)), most=st.integers(0, 30))
def test_a_union_takes_the_lists_in_turn(lists: list[list[int]], blocked: list[int], most: int) -> None:
    longest = max(map(len, lists), default=0)
    in_turn = [one[rank] for rank in range(longest) for one in lists if rank < len(one)]
    expected = [row for row in dict.fromkeys(in_turn) if row not in blocked][:most]

    seen = np.zeros(20, np.bool_)
    joined = np.array([row for one in lists for row in one], np.int32)
    ends = np.cumsum([len(one) for one in lists], dtype=np.int64)
    assert union(joined, ends, np.array(blocked, np.int32), seen, most).tolist() == expected
    assert not seen.any()


def test_rows_are_grouped_in_the_order_asked_for() -> None:
    ptr, rows = group_rows(np.array([2, 0, 2, 2], np.int32), np.array([3, 1, 2, 0], np.int64), 4)
    assert ptr.tolist() == [0, 1, 1, 4, 4]
    assert rows.tolist() == [1, 3, 2, 0]


@given(st.lists(st.tuples(st.integers(-1, 6), st.integers(0, 9)), max_size=20))
@settings(max_examples=100, deadline=None)
def test_weights_are_summed_by_code_and_what_has_none_is_left_out(told: list[tuple[int, int]]) -> None:
    codes, weights = np.array(told, np.int32).reshape(-1, 2).T
    found, sums = summed_by(np.ascontiguousarray(codes), weights.astype(np.float32))
    wanted = sorted({code for code, _ in told if code >= 0})
    assert found.tolist() == wanted
    assert sums.tolist() == [sum(weight for one, weight in told if one == code) for code in wanted]


def test_the_strongest_link_weighs_the_event_and_the_neighbour() -> None:
    # product 0 leads to 2 with 0.5, product 1 leads to 2 with 0.9
    indptr, indices = np.array([0, 1, 2, 2], np.int64), np.array([2, 2], np.int32)
    values = np.array([0.5, 0.9], np.float32)
    both = np.array([0, 1], np.int32)
    assert strongest(both, np.array([1.0, 1.0], np.float32), indptr, indices, values, 2) == 1
    assert strongest(both, np.array([3.0, 1.0], np.float32), indptr, indices, values, 2) == 0
    assert strongest(both, np.array([1.0, 1.0], np.float32), indptr, indices, values, 1) == -1


def test_the_head_and_any_row_get_the_same_score_to_the_bit() -> None:
    rng = np.random.default_rng(0)
    factors, vector = rng.normal(size=(500, 32)).astype(np.float32), rng.normal(size=32).astype(np.float32)
    of_rows = dot_rows(factors, vector, np.arange(500, dtype=np.int32))
    np.testing.assert_array_equal(head_scores(np.ascontiguousarray(factors.T), vector), of_rows)
    np.testing.assert_allclose(of_rows, factors @ vector, rtol=1e-4, atol=1e-5)
