"""Estimates against sums that can be done by hand, and intervals against what they promise."""

from __future__ import annotations

from math import inf, isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reco_assets.experiments.estimate import Looks, Sample, effect, worse
from reco_assets.experiments.sequential import p_value, ratio_p_value, width

LOOKS = Looks(2_000, 2_000, 0.05)


def sample(over: object, by: object = 1.0, before: object = 0.0) -> Sample:
    values = np.asarray(over, np.float64)
    return Sample(values, *(np.broadcast_to(np.asarray(x, np.float64), values.shape) for x in (by, before)))


def test_a_mean_and_its_interval_by_hand() -> None:
    control, variant = sample([0.0, 2.0] * 100), sample([1.0, 3.0] * 100)
    found = effect(control, variant, LOOKS)
    assert (found.control, found.variant, found.difference, found.lift) == (1.0, 2.0, 1.0, 1.0)
    error = (2 * (200 / 199) / 200) ** 0.5
    assert found.high - found.low == pytest.approx(2 * width(2_000, 2_000, 0.05) * error)


def test_a_ratio_is_weighted_by_what_it_is_divided_by() -> None:
    rng = np.random.default_rng(1)
    shown = rng.integers(1, 40, 4_000)
    clicks = rng.binomial(shown, 0.1)
    found = effect(sample(clicks[:2_000], shown[:2_000]), sample(clicks[2_000:], shown[2_000:]), LOOKS)
    assert found.control == pytest.approx(clicks[:2_000].sum() / shown[:2_000].sum())
    boot = []
    for _ in range(400):
        rows = rng.integers(0, 2_000, 2_000)
        boot.append(clicks[rows].sum() / shown[rows].sum())
    half = (found.high - found.low) / 2 / width(2_000, 2_000, 0.05)
    assert half == pytest.approx(np.std(boot) * 2**0.5, rel=0.15)


def test_what_people_did_before_takes_variance_out_and_adds_no_bias() -> None:
    rng = np.random.default_rng(2)
    usual = rng.normal(10, 3, 4_000)
    now = usual + rng.normal(0, 1, 4_000)
    now[2_000:] += 0.2
    plain = effect(sample(now[:2_000]), sample(now[2_000:]), LOOKS)
    told = effect(sample(now[:2_000], before=usual[:2_000]), sample(now[2_000:], before=usual[2_000:]), LOOKS)
    assert plain.kept == 1.0
    assert told.kept == pytest.approx(0.1, abs=0.02)
    assert told.difference == pytest.approx(0.2, abs=0.1)
    assert told.low < 0.2 < told.high
    assert told.high - told.low < 0.4 * (plain.high - plain.low)


@given(st.floats(1, 1e7), st.floats(1, 1e6), st.floats(0.001, 0.5))
def test_a_p_value_is_at_the_level_exactly_where_the_interval_ends(
    clock: float, planned: float, level: float
) -> None:
    edge = width(clock, planned, level)
    assert p_value(edge, clock, planned, level) == pytest.approx(level, rel=1e-6)
    assert p_value(edge * 1.01, clock, planned, level) < level < p_value(edge * 0.99, clock, planned, level)


def test_the_interval_is_tightest_where_it_was_planned_and_wider_than_for_one_look() -> None:
    error = [width(n, 5_000, 0.05) / n**0.5 * 5_000**0.5 for n in (4_900, 5_000, 5_100)]
    tuned = [width(5_000, planned, 0.05) for planned in (2_000, 5_000, 12_000)]
    assert min(tuned) == tuned[1] > 1.96
    assert error == sorted(error, reverse=True)


def test_looking_all_the_time_at_nothing_claims_something_as_seldom_as_promised() -> None:
    rng = np.random.default_rng(3)
    runs, n = 1_000, 3_000
    sums = rng.standard_normal((runs, n)).cumsum(axis=1)
    clock = np.arange(1, n + 1)
    edges = np.array([width(t, 1_000, 0.05) for t in clock.tolist()])
    always = (np.abs(sums / np.sqrt(clock)) > edges)[:, 100:].any(axis=1).mean()
    naive = (np.abs(sums / np.sqrt(clock)) > 1.96)[:, 100:].any(axis=1).mean()
    assert always <= 0.05 < 0.2 < naive


def test_too_few_users_say_nothing() -> None:
    few = effect(sample([0.0, 1.0] * 20), sample([5.0, 6.0] * 20), LOOKS)
    assert (few.low, few.high, few.p_value) == (-inf, inf, 1.0)
    quiet = effect(sample([0.0] * 500), sample([0.0] * 499 + [1.0]), LOOKS)
    assert (quiet.low, quiet.high) == (-inf, inf)
    assert isnan(quiet.lift)
    empty = effect(sample([]), sample([]), LOOKS)
    assert (empty.control, empty.variant, empty.low) == (0.0, 0.0, -inf)


@pytest.mark.parametrize(
    ("variant", "better", "worst", "relative", "broken"),
    [
        (0.50, 1, 0.05, True, True),  # half the revenue
        (0.98, 1, 0.05, True, False),  # less, but within what is accepted
        (1.50, 1, 0.05, True, False),  # more revenue is no harm
        (1.50, -1, 0.25, True, True),  # half as slow again
        (1.50, -1, 0.60, False, False),
        (1.50, -1, 0.20, False, True),
    ],
)
def test_a_guardrail_breaks_only_beyond_what_is_accepted(
    variant: float, better: int, worst: float, relative: bool, broken: bool
) -> None:
    noise = np.random.default_rng(4).normal(0, 0.1, 4_000)
    control, other = sample(1 + noise[:2_000]), sample(variant + noise[2_000:])
    assert worse(control, other, better, worst, relative, LOOKS) is broken


def test_a_broken_division_of_users_is_found_and_a_right_one_is_not() -> None:
    assert ratio_p_value([5_000, 5_000], [1, 1]) > 0.5
    assert ratio_p_value([5_050, 4_950], [5_000, 5_000]) > 0.05
    assert ratio_p_value([5_300, 4_700], [1, 1]) < 0.01
    assert ratio_p_value([9_500, 500], [0.95, 0.05]) > 0.5
    assert ratio_p_value([9_500, 700], [0.95, 0.05]) < 0.01
    assert ratio_p_value([0, 0], [1, 1]) == 1.0


def test_looking_at_the_division_all_the_time_alarms_as_seldom_as_promised() -> None:
    rng = np.random.default_rng(5)
    alarms = 0
    for _ in range(300):
        ones = (rng.random(4_000) < 0.1).cumsum()
        looks = range(50, 4_001, 50)
        alarms += any(
            ratio_p_value([int(ones[n - 1]), n - int(ones[n - 1])], [0.1, 0.9]) < 0.05 for n in looks
        )
    assert alarms / 300 <= 0.05
