from __future__ import annotations

from pathlib import Path

import polars as pl

from reco_assets.platform.lake import Lake


def test_a_table_that_is_replaced_may_have_other_columns(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    lake.replace("gold/kpis", pl.DataFrame({"name": ["a"], "value": [1.0]}).to_arrow())
    lake.replace("gold/kpis", pl.DataFrame({"name": ["b"], "more": [2]}).to_arrow())
    assert lake.scan("gold/kpis").collect().to_dicts() == [{"name": "b", "more": 2}]


def test_rows_that_are_added_may_bring_columns(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    lake.append("gold/kpis", pl.DataFrame({"name": ["a"]}).to_arrow())
    lake.append("gold/kpis", pl.DataFrame({"name": ["b"], "more": [2]}).to_arrow())
    assert lake.scan("gold/kpis").sort("name").collect()["more"].to_list() == [None, 2]
