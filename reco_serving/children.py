"""The children of a metric, held: finding one by its labels takes longer than counting with it."""

from __future__ import annotations

from typing import TypeVar

from prometheus_client import Counter, Histogram

_Metric = TypeVar("_Metric", Counter, Histogram)


class Children(dict[tuple[str, ...], _Metric]):
    """The children of ``metric`` by the values of its labels; whoever is asked for first is made.

    None is ever let go of, so a label's values are to be from a fixed list.
    """

    def __init__(self, metric: _Metric) -> None:
        super().__init__()
        self.metric: _Metric = metric

    def begin(self, *values: str) -> None:
        """Have a child be there before anything is counted."""
        self[values] = self.metric.labels(*values)

    def __missing__(self, values: tuple[str, ...]) -> _Metric:
        self.begin(*values)
        return self[values]
