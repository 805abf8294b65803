from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from reco_assets.errors import BadInput
from reco_assets.simulator.parameters import Parameters
from reco_assets.simulator.shop import simulate

_TWO_DAYS = Parameters(users=40, products=40, days=2, events=500, end=date(2025, 1, 2))


def _content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_parameters_write_the_same_bytes(tmp_path: Path) -> None:
    counts = simulate(_TWO_DAYS, tmp_path / "one")
    assert simulate(_TWO_DAYS, tmp_path / "two") == counts
    assert _content(tmp_path / "one") == _content(tmp_path / "two")
    assert set(_content(tmp_path / "one")) == {
        "events/2025-01-01.parquet",
        "events/2025-01-02.parquet",
        "products.parquet",
        "users.parquet",
        "manifest.json",
    }


def test_the_manifest_counts_what_is_there(tmp_path: Path) -> None:
    written: list[int] = []
    counts = simulate(_TWO_DAYS, tmp_path, progress=written.append)
    assert json.loads((tmp_path / "manifest.json").read_text())["counts"] == asdict(counts)
    events = pl.read_parquet(tmp_path / "events" / "*.parquet")
    assert sum(written) == counts.events == len(events) == 500
    assert counts.events_by_type == dict(events["event_type"].value_counts().iter_rows())
    assert counts.sessions == events["session_id"].n_unique()
    assert counts.product_observations == len(pl.read_parquet(tmp_path / "products.parquet"))


def test_an_earlier_simulation_is_replaced_only_when_asked_and_then_wholly(tmp_path: Path) -> None:
    simulate(_TWO_DAYS, tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    one_day = Parameters(users=40, products=40, days=1, events=100, end=date(2025, 1, 2))
    with pytest.raises(BadInput, match="holds a simulation already"):
        simulate(one_day, tmp_path)
    simulate(one_day, tmp_path, overwrite=True)
    assert [path.name for path in (tmp_path / "events").iterdir()] == ["2025-01-02.parquet"]
    assert (tmp_path / "notes.txt").exists()


def test_a_file_cannot_be_the_folder(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("")
    with pytest.raises(BadInput, match="it is a file"):
        simulate(_TWO_DAYS, tmp_path / "shop")


@pytest.mark.parametrize(("users", "products"), [(1, 32), (3, 33), (5, 199)])
def test_a_tiny_shop_works_too(tmp_path: Path, users: int, products: int) -> None:
    counts = simulate(Parameters(users=users, products=products, days=3, events=200), tmp_path)
    assert counts.events == 200
