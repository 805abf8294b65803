"""Pictures are PNGs of the promised width, whatever the data; odd data must not break an asset."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import date, timedelta
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from reco_assets.monitoring.plots import (
    WIDTH,
    daily_bars,
    histograms,
    importance_bars,
    interval_bars,
    interval_panels,
    markdown_image,
    metric_bars,
)

DAY = date(2024, 5, 1)


def read(png: bytes) -> Image.Image:
    return Image.open(BytesIO(png)).convert("RGB")


def blue_columns(picture: Image.Image) -> int:
    """How many pixel columns have a bar in them."""
    pixels = np.asarray(picture).astype(int)
    blue = (pixels[:, :, 2] > 180) & (pixels[:, :, 0] < 100)
    return int(blue.any(axis=0).sum())


@pytest.mark.parametrize(
    "draw",
    [
        lambda: daily_bars("no days", [], []),
        lambda: daily_bars("one day", [DAY], [3]),
        lambda: daily_bars("a year", [DAY + timedelta(i) for i in range(365)], list(range(365))),
        lambda: histograms("nothing", {}),
        lambda: histograms(
            "odd", {"empty": [], "unknown": [float("nan")], "one": [2.0], "inf": [np.inf, 1.0]}
        ),
        lambda: metric_bars("none", {}),
        lambda: metric_bars("zero", {"recall@10": {"ranker": 0.0, "popular": 0.0}}, best="ranker"),
        lambda: importance_bars("no gain", {}),
        lambda: interval_bars("none", {}),
        lambda: interval_panels("none", {}),
        lambda: interval_panels("one", {"recall": {"a": (0.1, -0.1, 0.3), "b": (np.nan,) * 3}}),
        lambda: interval_panels("three", {key: {"a": (0.1, 0.05, 0.3)} for key in "xyz"}),
        lambda: interval_bars(
            "some", {"a": (1.0, -1.0, 3.0), "b": (2.0, 1.0, 3.0), "c": (0.0, -np.inf, np.inf)}
        ),
        lambda: importance_bars("many", {f"f{i}": float(i) for i in range(50)}),
    ],
)
def test_any_data_gives_a_picture_of_the_promised_width(draw: Callable[[], bytes]) -> None:
    assert read(draw()).width == WIDTH


def test_a_missing_day_leaves_a_gap() -> None:
    days = [DAY + timedelta(i) for i in range(10)]
    whole = daily_bars("events", days, [5] * 10)
    gap = daily_bars("events", days[:4] + days[6:], [5] * 8)
    assert blue_columns(read(gap)) < 0.9 * blue_columns(read(whole))


def test_the_same_data_draws_the_same_picture() -> None:
    metrics = {"ndcg@10": {"ranker": 0.3, "popular": 0.1}}
    assert metric_bars("day", metrics) == metric_bars("day", metrics)


def test_the_markdown_carries_the_picture_itself() -> None:
    png = daily_bars("events", [DAY], [1])
    text = markdown_image(png, "events by day")
    assert text.startswith("![events by day](data:image/png;base64,")
    assert base64.b64decode(text.rpartition(",")[2].rstrip(")")) == png
