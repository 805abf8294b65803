"""Small drawings of intervals as SVG: pure functions from numbers to text."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Final

from reco_assets.experiments.published import Point

_WIDTH, _HEIGHT, _PAD = 640, 170, 46
_BAR: Final = 260


def interval_bar(value: float, low: float, high: float, reach: float, tone: str) -> str:
    """SVG of one interval on an axis from ``-reach`` to ``reach``; ``tone`` is its CSS class."""
    if not all(isfinite(number) for number in (value, low, high)):
        waiting = f'<text x="{_BAR / 2}" y="15">too few users yet</text>'
        return f'<svg class="bar" viewBox="0 0 {_BAR} 22">{waiting}</svg>'

    def place(number: float) -> float:
        return round((max(-reach, min(reach, number)) / reach + 1.0) * _BAR / 2, 1)

    return (
        f'<svg class="bar {tone}" viewBox="0 0 {_BAR} 22">'
        f'<line class="zero" x1="{_BAR / 2}" x2="{_BAR / 2}" y1="1" y2="21"/>'
        f'<line class="span" x1="{place(low)}" x2="{place(high)}" y1="11" y2="11"/>'
        f'<circle cx="{place(value)}" cy="11" r="4"/></svg>'
    )


def path_chart(points: Sequence[Point]) -> str:
    """SVG of one variant's lift and its interval, by days; empty for fewer than two days."""
    told = [(p.lift, p.low, p.high) for p in points]
    known = [
        (at, lift, low, high)
        for at, (lift, low, high) in enumerate(told)
        if lift is not None and low is not None and high is not None
    ]
    if len(known) < 2:
        return ""
    top = max(0.0, *(high for _, _, _, high in known))
    bottom = min(0.0, *(low for _, _, low, _ in known))
    room = (top - bottom) or 1.0

    def x(at: int) -> float:
        return round(_PAD + at / max(1, len(points) - 1) * (_WIDTH - 2 * _PAD), 1)

    def y(value: float) -> float:
        return round(12 + (top - value) / room * (_HEIGHT - 40), 1)

    upper = " ".join(f"{x(at)},{y(high)}" for at, _, _, high in known)
    lower = " ".join(f"{x(at)},{y(low)}" for at, _, low, _ in reversed(known))
    middle = " ".join(f"{x(at)},{y(lift)}" for at, lift, _, _ in known)
    marks = "".join(
        f'<text x="{_PAD - 6}" y="{y(value) + 4}" class="left">{value:+.0%}</text>'
        for value in sorted({bottom, 0.0, top})
        if value == 0.0 or abs(y(value) - y(0.0)) > 12
    )
    days = "".join(
        f'<text x="{x(at)}" y="{_HEIGHT - 8}">{points[at].as_of:%d %b}</text>' for at in {0, len(points) - 1}
    )
    return (
        f'<svg class="path" viewBox="0 0 {_WIDTH} {_HEIGHT}"><polygon points="{upper} {lower}"/>'
        f'<line class="zero" x1="{_PAD}" x2="{_WIDTH - _PAD}" y1="{y(0.0)}" y2="{y(0.0)}"/>'
        f'<polyline points="{middle}"/>{marks}{days}</svg>'
    )
