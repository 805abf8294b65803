"""What an A/B test says, where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.live_days import ARMS, Tally, arm_of
from benchmarks.live_figures import judged, picture


def shoppers(arm: str, rate: float, count: int, seed: int) -> list[Tally]:
    """Shoppers who are shown 100 products each and open each with probability ``rate``."""
    dice = np.random.default_rng(seed)
    return [
        Tally(arm, 1, 100, int(clicks), int(bought), 10.0 * bought)
        for clicks, bought in zip(dice.binomial(100, rate, count), dice.binomial(1, rate, count), strict=True)
    ]


def test_half_as_many_clicks_again_are_a_gain_of_a_half() -> None:
    found = judged([Tally("popularity", 1, 100, 4, 2, 20.0), Tally("full", 1, 200, 12, 1, 30.0)])
    clicks = found["clicks_per_impression"]
    assert (clicks["popularity"].value, clicks["full"].value) == (0.04, 0.06)
    assert clicks["gain"].value == pytest.approx(0.5)
    assert found["purchases_per_visitor"]["gain"].value == pytest.approx(-0.5)
    assert found["revenue_per_visitor"]["gain"].value == pytest.approx(0.5)


def test_the_interval_of_arms_that_are_alike_holds_no_gain_in_19_of_20_runs() -> None:
    inside = 0
    for seed in range(60):
        people = shoppers("popularity", 0.05, 150, 2 * seed) + shoppers("full", 0.05, 150, 2 * seed + 1)
        gain = judged(people)["clicks_per_impression"]["gain"]
        inside += gain.low <= 0.0 <= gain.high
    # 57 are expected; fewer than 51 would have a probability of one in a thousand
    assert inside >= 51


def test_a_clear_gain_is_seen_and_narrowed_down_by_more_shoppers() -> None:
    widths = []
    for count in (100, 1_600):
        gain = judged(shoppers("popularity", 0.04, count, 1) + shoppers("full", 0.06, count, 2))[
            "clicks_per_impression"
        ]["gain"]
        assert 0.0 < gain.low < 0.5 < gain.high
        widths.append(gain.high - gain.low)
    assert widths[1] < widths[0] / 3


def test_an_arm_in_which_nobody_bought_has_no_relative_gain() -> None:
    found = judged([Tally("popularity", 1, 10, 1), Tally("full", 1, 10, 1, 1, 5.0)])
    assert np.isnan(found["purchases_per_visitor"]["gain"].value)
    assert found["purchases_per_visitor"]["full"].value == 1.0


def test_an_arm_is_a_matter_of_the_shopper_alone_and_halves_them() -> None:
    people = [f"u{number:06d}" for number in range(4_000)]
    arms = [arm_of(person, seed=3) for person in people]
    assert arms == [arm_of(person, seed=3) for person in people]
    assert abs(sum(arms) / len(arms) - 0.5) < 4 * 0.5 / np.sqrt(len(arms))
    assert arms != [arm_of(person, seed=4) for person in people]


def test_a_picture_has_a_line_for_each_seed_and_all() -> None:
    people = shoppers(ARMS[0], 0.05, 20, 1) + shoppers(ARMS[1], 0.1, 20, 2)
    png = picture({"seed 0": judged(people), "all": judged(people)})
    assert png.startswith(b"\x89PNG")
