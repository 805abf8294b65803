"""The value of a policy that never answered, where the true value is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reco_assets.ranking.policy_value import LoggedPlaces, PolicyValue, policy_value

PRODUCTS = 4
RATES = np.array([0.02, 0.05, 0.1, 0.3])


def logs(users: int, seed: int, *, model: np.ndarray | None = None) -> LoggedPlaces:
    """Ten places a person; product k is shown with probability (k + 1) / 10, the other policy shows the last.

    Persons differ: each likes everything more or less.
    """
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(users), 10)
    chances = np.arange(PRODUCTS, 0, -1) / 10
    shown = rng.choice(PRODUCTS, len(user), p=chances)
    liking = rng.choice([0.5, 1.5], users)[user]
    expected = np.zeros(PRODUCTS) if model is None else model
    return LoggedPlaces(
        user=user,
        propensity=chances[shown],
        same=shown == PRODUCTS - 1,
        reward=(rng.random(len(user)) < RATES[shown] * liking).astype(np.float64),
        expected=expected[shown],
        expected_other=np.full(len(user), expected[-1]),
    )


def valued(logged: LoggedPlaces) -> PolicyValue:
    found = policy_value(logged)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["ips", "snips", "doubly_robust"])
def test_the_true_value_is_within_the_interval_about_as_often_as_it_says(name: str) -> None:
    hits = 0
    for seed in range(40):
        found = valued(logs(400, seed, model=RATES))
        estimate = getattr(found, name)
        hits += estimate.low <= RATES[-1] <= estimate.high
    assert hits >= 34


def test_what_was_shown_was_worth_less() -> None:
    found = valued(logs(2000, 1))
    assert found.logged.high < found.snips.low
    assert found.support == pytest.approx(1.0, abs=0.1)
    assert (found.impressions, found.users) == (20_000, 2000)


def test_a_good_model_narrows_the_interval_and_a_bad_one_does_not_mislead() -> None:
    plain, good, bad = (
        valued(logs(2000, 2, model=model)) for model in (None, RATES, np.array([0.9, 0.9, 0.9, 0.0]))
    )
    widths = [one.doubly_robust.high - one.doubly_robust.low for one in (plain, good)]
    assert widths[1] < widths[0]
    assert bad.doubly_robust.low <= RATES[-1] <= bad.doubly_robust.high
    assert plain.doubly_robust == plain.ips


@settings(max_examples=25, deadline=None)
@given(shift=st.floats(-5, 5), seed=st.integers(0, 20))
def test_a_constant_added_to_every_reward_is_added_to_snips(shift: float, seed: int) -> None:
    plain = logs(50, seed)
    before, after = valued(plain), valued(replace(plain, reward=plain.reward + shift))
    for side in ("value", "low", "high"):
        assert getattr(after.snips, side) == pytest.approx(getattr(before.snips, side) + shift, abs=1e-6)


def test_what_was_never_shown_counts_nothing_or_what_the_model_says() -> None:
    told = replace(logs(100, 3, model=RATES), same=np.zeros(1000, np.bool_))
    found = valued(told)
    assert (found.support, found.ips.value, found.snips.value) == (0.0, 0.0, 0.0)
    assert found.doubly_robust.value == pytest.approx(RATES[-1])


def test_the_same_policy_is_worth_what_was_seen() -> None:
    plain = logs(100, 4)
    certain = replace(plain, propensity=np.ones(1000), same=np.ones(1000, np.bool_))
    found = valued(certain)
    assert found.ips == found.snips == found.logged


def test_without_impressions_there_is_nothing_to_say() -> None:
    nothing = np.empty(0)
    empty = LoggedPlaces(nothing.astype(np.int64), nothing, nothing.astype(bool), nothing, nothing, nothing)
    assert policy_value(empty) is None
