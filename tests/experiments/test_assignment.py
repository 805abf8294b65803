"""Laws of assignment: every user in one place, nobody moved, everybody mixed anew."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reco_assets.experiments.assignment import bucket, held, packed, resized
from reco_assets.experiments.definition import BUCKETS

NOBODY = np.zeros(BUCKETS, np.bool_)
sizes = st.integers(0, BUCKETS)
names = st.text("abcdef-", min_size=1, max_size=8)


@given(st.text(max_size=20), names)
def test_a_user_has_one_bucket_of_a_layer_for_ever(user: str, layer: str) -> None:
    assert bucket(layer, user) == bucket(layer, user)
    assert 0 <= bucket(layer, user) < BUCKETS


def test_the_buckets_stay_what_they_are() -> None:
    """Users of a running experiment must not move because the code changed."""
    assert [bucket("main", user) for user in ("u1", "u2", "17")] == [3770, 7488, 2502]
    assert np.flatnonzero(resized(NOBODY, NOBODY, 3, "salt")).tolist() == [4414, 4936, 6030]


def test_users_fall_evenly_and_layers_are_independent() -> None:
    users = [f"u{number}" for number in range(20_000)]
    one = np.array([bucket("one", user) < BUCKETS // 2 for user in users])
    other = np.array([bucket("other", user) < BUCKETS // 2 for user in users])
    for share in (one.mean(), other.mean(), (one == other).mean()):
        assert abs(share - 0.5) < 0.02


@given(st.lists(sizes, min_size=1, max_size=5), names)
def test_a_share_that_changes_keeps_whom_it_can(steps: list[int], salt: str) -> None:
    own = NOBODY
    for size in steps:
        after = resized(own, NOBODY, size, salt)
        assert after.sum() == size
        grown, shrunk = (after >= own).all(), (after <= own).all()
        assert grown if size >= own.sum() else shrunk
        own = after


@given(st.integers(0, BUCKETS // 2), st.integers(0, BUCKETS // 2), names, names)
def test_what_another_holds_is_never_taken(first: int, second: int, one: str, other: str) -> None:
    taken = resized(NOBODY, NOBODY, first, one)
    assert not (resized(NOBODY, taken, second, other) & taken).any()


def test_the_next_experiment_of_a_layer_mixes_the_users_of_the_one_before() -> None:
    before, after = (resized(NOBODY, NOBODY, BUCKETS // 2, salt) for salt in ("first", "second"))
    assert abs((before & after).mean() - 0.25) < 0.02


@given(st.lists(st.integers(0, BUCKETS - 1)))
def test_buckets_come_back_as_they_were_packed(rows: list[int]) -> None:
    which = NOBODY.copy()
    which[rows] = True
    assert (held(packed(which)) == which).all()
