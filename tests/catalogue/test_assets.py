"""The catalogue's assets over a landing folder with changes, in Dagster."""

from __future__ import annotations

import shutil
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from reco_assets.catalogue import assets
from reco_assets.events import assets as events
from reco_assets.platform.lake import Lake
from reco_assets.platform.resources import Buckets, Platform

FILE = Path(__file__).parent / "shop_changes.jsonl"


# Dagster asks pydantic for the fields of a resource by their old name.
@pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated")
def test_changes_that_have_landed_become_products_users_and_orders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "landing" / "changes").mkdir(parents=True)
    shutil.copy(FILE, tmp_path / "landing" / "changes")
    monkeypatch.setenv("RECO_HOME", str(tmp_path))
    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.materialize(
            [
                events.deliveries,
                assets.observations,
                assets.raw_changes,
                assets.orders,
                assets.products,
                assets.users,
            ],
            resources={"platform": Platform(), "s3": Buckets()},
            instance=instance,
            raise_on_error=False,
            selection='key:"raw_changes" or key:"orders" or key:"products" or key:"users" or key:"raw_users"'
            ' or key:"raw_catalogue"',
        )
    assert run.success
    told = run.asset_materializations_for_node("raw_changes")[0].metadata
    assert told["imported changes"].value == 22
    assert told["deletes"].value == 3
    assert float(str(told["lag of the newest change, s"].value)) > 0
    assert run.asset_materializations_for_node("orders")[0].metadata["deleted"].value == 1
    assert all(check.passed for check in run.get_asset_check_evaluations())
    lake = Lake(str(tmp_path / "lake"))
    assert lake.scan("silver/orders").select(pl.len()).collect().item() == 5
    held = lake.scan("silver/products").filter(pl.col("valid_to").is_null()).collect()
    assert held["product_id"].to_list() == ["1", "2"]
