"""Experiments on a small simulated shop: little is claimed of nothing, and a harm is stopped."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from benchmarks.experiment_road import stopped_on_the_road
from benchmarks.experiment_shoppers import ARMS, Lived, live
from benchmarks.experiment_trials import Watched, trial, true_difference
from reco_assets.simulator.parameters import Parameters

BETTER, HARMFUL = ARMS.index("better"), ARMS.index("harmful")


@pytest.fixture(scope="module")
def lived() -> Lived:
    parameters = Parameters(users=900, products=1_500, days=6, end=date(2025, 6, 30), seed=5)
    return live(parameters, visits=800)


@pytest.fixture(scope="module")
def watched(lived: Lived) -> Watched:
    return Watched.of(lived, days_before=2, hours=12)


def test_shoppers_are_divided_in_halves_and_another_salt_divides_them_anew(watched: Watched) -> None:
    one, other = (trial(watched, 0, salt).treated for salt in ("one", "other"))
    assert abs(one.mean() - 0.5) < 0.1
    assert abs((one == other).mean() - 0.5) < 0.1


def test_of_nothing_seldom_anything_is_claimed(watched: Watched) -> None:
    claims = [
        any(c.verdict != "undecided" for f in trial(watched, 0, f"{n}").found for c in f.comparisons)
        for n in range(20)
    ]
    assert sum(claims) <= 2


def test_a_harm_is_stopped_and_the_estimate_is_near_the_truth(watched: Watched) -> None:
    last = len(watched.looks) - 1
    for salt in ("one", "two", "three"):
        found = trial(watched, HARMFUL, salt).found
        assert any(f.harms for f in found)
        [ctr] = [c.effect for c in found[-1].comparisons if c.metric == "ctr"]
        assert ctr.low <= true_difference(watched, HARMFUL, last) <= ctr.high < 0
    assert true_difference(watched, BETTER, last) > 0


def test_a_harmful_variant_is_stopped_on_the_whole_road(lived: Lived, tmp_path: Path) -> None:
    found = stopped_on_the_road(tmp_path, lived, days_before=2)
    assert found.days is not None
    assert found.reason.startswith("treatment: guardrail ")
    assert found.answers == 800 * found.days
