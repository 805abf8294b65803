from __future__ import annotations

import ibis
import polars as pl

from reco_assets.features.running import as_of, seen_by
from reco_assets.platform.engine import Engine


def asked(engine: Engine, *moments: int) -> ibis.Table:
    return engine.arrow(pl.DataFrame({"id": ["a"] * len(moments), "at": moments}).to_arrow())


def steps(engine: Engine) -> ibis.Table:
    changes = pl.DataFrame({"id": ["a", "a", "a", "b"], "at": [10, 20, 30, 10], "n": [1, 2, -1, 7]})
    return engine.arrow(changes.to_arrow())


def test_changes_up_to_the_last_point_are_seen_and_later_ones_are_not(engine: Engine) -> None:
    (seen,) = seen_by(asked(engine, 5, 20), [steps(engine)])

    rows = pl.DataFrame(engine.to_arrow(seen)).sort("id", "at").rows()

    assert rows == [("a", 10, 1), ("a", 20, 2), ("b", 10, 7)]


def test_a_value_does_not_depend_on_which_later_points_are_asked_too(engine: Engine) -> None:
    def values(*moments: int) -> dict[int, int]:
        found = as_of(asked(engine, *moments), "id", [steps(engine)], ("n",))
        return dict(pl.DataFrame(engine.to_arrow(found)).select("at", "n").iter_rows())

    together = values(9, 10, 25, 30)

    assert together == {9: 0, 10: 1, 25: 3, 30: 2}
    assert {at: values(at)[at] for at in together} == together
