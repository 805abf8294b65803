"""The page of results: whole, escaped, and honest about what is not known."""

from __future__ import annotations

import re
from datetime import date, timedelta
from html.parser import HTMLParser

import pytest

from reco_assets.experiments.board import Board, drop, ramp, start, stop
from reco_assets.experiments.definition import Variant
from reco_assets.experiments.estimate import Effect
from reco_assets.experiments.findings import Comparison, Findings
from reco_assets.experiments.page import page
from reco_assets.experiments.published import Point, Published
from tests.experiments.builders import NOON, experiment, started

INF, NAN = float("inf"), float("nan")
KNOWN = Effect(0.05, 0.06, 0.01, 0.002, 0.018, 0.2, 0.04, 0.36, 0.003, 0.9)
UNKNOWN = Effect(0.0, 0.0, 0.0, -INF, INF, NAN, NAN, NAN, 1.0, 1.0)
VOID = {"meta", "line", "circle", "polygon", "polyline"}


class Checked(HTMLParser):
    """Fails where a tag is not closed; keeps the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data + " "


def known(*effects: Effect, ratio: float = 1.0, name: str = "x") -> dict[str, Published]:
    metrics = ("ctr", "conversion", "revenue_per_user")
    comparisons = tuple(
        Comparison("treatment", metric, 900, 910, 4_000, effect)
        for metric, effect in zip(metrics, effects, strict=False)
    )
    found = Findings(name, 1, NOON, {"control": 900, "treatment": 910}, 0, ratio, comparisons, ())
    days = [date(2024, 5, 1) + timedelta(days=n) for n in range(3)]
    path = [Point(days[0], "treatment", None, None, None)]
    path += [Point(day, "treatment", 0.2, 0.1 - n / 10, 0.3) for n, day in enumerate(days[1:])]
    return {name: Published(found, tuple(path))}


def test_a_shop_without_experiments_is_told_how_to_start() -> None:
    assert "reco experiment start" in Checked(page(Board(), {}, NOON)).text


def test_what_is_known_is_shown_with_verdict_interval_and_path() -> None:
    html = page(started(experiment("x")), known(KNOWN, UNKNOWN), NOON)
    told = Checked(html).text
    assert "treatment: better by ctr" in told
    assert "5.000%" in told
    assert "+20.0%" in told
    assert "too few users yet" in told
    assert "<polyline" in html
    assert "http" not in html.replace("http-equiv", "")


def test_a_broken_division_is_said_before_any_result() -> None:
    told = Checked(page(started(experiment("x")), known(KNOWN, ratio=1e-5), NOON)).text
    assert told.index("not divided as planned") < told.index("5.000%")


def test_running_experiments_come_first_and_why_one_ended_is_told() -> None:
    board = started(experiment("stale"), shares=(0.1, 0.1))
    board = stop(board, "stale", "<b>too slow</b>", NOON + 1)
    board = start(board, experiment("fresh"), (0.1, 0.1), NOON - 5)
    html = page(board, {}, NOON)
    told = Checked(html).text
    assert told.index("fresh") < told.index("stale")
    assert "<b>too slow" not in html
    assert "<b>too slow</b>" in told


def test_results_of_an_earlier_phase_are_not_shown_as_todays() -> None:
    board = ramp(started(experiment("x"), shares=(0.2, 0.2)), "x", {"treatment": 0.3}, NOON + 1)
    told = Checked(page(board, known(KNOWN), NOON)).text
    assert "no results yet" in told


def test_a_dropped_variant_is_told_while_the_rest_goes_on() -> None:
    board = started(experiment("x", Variant("blue"), Variant("green")), shares=(0.4, 0.3, 0.3))
    told = Checked(page(drop(board, "x", "blue", "blue: too slow", NOON), {}, NOON)).text
    assert "blue: too slow" in told
    assert "running" in told


@pytest.mark.parametrize(
    ("effect", "told", "points"), [(KNOWN, "+4.0% to +36.0%", 3), (UNKNOWN, "too few users yet", 0)]
)
def test_every_effect_can_be_drawn(effect: Effect, told: str, points: int) -> None:
    html = page(started(experiment("x")), known(effect, effect, effect), NOON)
    assert Checked(html).text.count(told) == 3
    assert html.count("<circle") == points
    assert not re.search(r"\b(nan|inf)\b", html, re.IGNORECASE)
