"""The whole graph on a small shop, as a data engineer runs it."""

from __future__ import annotations

from datetime import date

import dagster as dg
import polars as pl

from reco_assets.platform.artifacts import Artifacts
from reco_assets.platform.lake import Lake
from reco_assets.platform.registry import CHAMPION, Registry
from reco_assets.platform.settings import Settings
from reco_assets.ranking.outcome import load_means
from reco_assets.recommender.bundle import Bundle
from tests.system.conftest import Shop

DAY = date(2026, 3, 27)
DAILY = (
    "silver/interactions",
    "gold/user_windows",
    "gold/user_category_windows",
    "gold/product_windows",
    "gold/user_days",
    "gold/product_days",
    "gold/user_features",
    "gold/product_features",
)


def lake_of(shop: Shop) -> Lake:
    return Lake(str(shop.home / "lake"))


def content(lake: Lake, name: str) -> pl.DataFrame:
    frame = lake.scan(name).collect()
    return frame.select(sorted(frame.columns)).sort(sorted(frame.columns))


def test_every_simulated_event_is_in_silver_once(shop: Shop) -> None:
    lake = lake_of(shop)
    simulated = pl.scan_parquet(shop.home / "landing" / "events" / "*.parquet").select("event_id").collect()
    silver = lake.scan("silver/interactions").select("event_id").collect()
    assert silver.height == simulated.height == silver["event_id"].n_unique()
    assert lake.scan("raw/quarantine").collect().height == 0


def test_a_champion_is_promoted_whose_manifest_names_its_inputs(shop: Shop) -> None:
    champion = Registry(Settings(home=shop.home)).champion()
    assert champion is not None
    manifest = Bundle.load(champion.folder).manifest
    assert manifest.inputs["silver/interactions"] == lake_of(shop).version("silver/interactions")
    assert manifest.dagster_run
    assert manifest.mlflow_run
    assert "full.ndcg@20" in manifest.metrics


def test_the_evaluation_holds_the_full_recommender_against_every_source(shop: Shop) -> None:
    means = load_means(Artifacts(shop.home / "artifacts"))
    assert {"full", "blend", "popular", "also_viewed", "factors", "repeat"} <= set(means)
    assert means["full"]["ndcg@20"] > means["popular"]["ndcg@20"]


def test_a_day_materialized_again_gives_the_same_and_leaves_the_other_days_their_files(shop: Shop) -> None:
    lake = lake_of(shop)
    before = {name: content(lake, name) for name in DAILY}
    files = {name: set(lake.files(name)) for name in DAILY}
    versions = {name: lake.version(name) for name in DAILY}
    selected = 'key:"interactions" or group:"features"'
    for _ in range(2):
        shop.json("materialize", "--from", str(DAY), "--to", str(DAY), "--select", selected)
    for name in DAILY:
        assert lake.version(name) == (versions[name] or 0) + 2
        assert content(lake, name).equals(before[name]), name
        untouched = files[name] - {uri for uri in files[name] if f"={DAY}" in uri}
        assert untouched <= set(lake.files(name)), name


def test_the_registry_moves_the_alias_only_once_a_bundle_passed(shop: Shop) -> None:
    registry = Registry(Settings(home=shop.home))
    assert [move.version for move in registry.promotions()] == [registry.version_of(CHAMPION)]


def test_every_column_of_every_table_is_described_on_its_page(shop: Shop) -> None:
    told: dict[str, list[str]] = {}
    with dg.DagsterInstance.from_config(str(shop.home / "dagster")) as instance:
        for key in instance.all_asset_keys():
            event = instance.get_latest_materialization_event(key)
            assert event is not None
            assert event.asset_materialization is not None
            schema = event.asset_materialization.metadata.get("dagster/column_schema")
            if schema is not None:
                assert isinstance(schema.value, dg.TableSchema)
                silent = [column.name for column in schema.value.columns if not column.description]
                told[key.to_user_string()] = silent
    assert len(told) > 20
    assert {name: silent for name, silent in told.items() if silent} == {}
