"""The lake in a bucket: imported into, read by the engine, and by the whole command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from reco_assets.catalogue.history import product_history
from reco_assets.catalogue.ingest import ingest_landing
from reco_assets.errors import MissingDependency
from reco_assets.events.landing import import_landing
from reco_assets.interactions.pipeline import build_interactions
from reco_assets.platform.engine import Engine
from reco_assets.platform.engines import open_engine
from reco_assets.platform.lake import Lake, open_lake
from reco_assets.platform.settings import Settings
from reco_assets.simulator.parameters import Parameters
from reco_assets.simulator.shop import simulate
from tests.s3.conftest import Store, bucket_of

FIRST, LAST = date(2025, 6, 1), date(2025, 6, 3)
NOW = datetime(2025, 7, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days of a tiny shop."""
    folder = tmp_path_factory.mktemp("tiny")
    simulate(Parameters(users=60, products=40, days=3, end=LAST, seed=1, events=1_500), folder)
    return folder


@pytest.fixture
def lake(settings: Settings, client: Store) -> Lake:
    return open_lake(settings)


def engine_on(lake: Lake) -> Engine:
    return open_engine(Settings(threads=2, memory_gb=1), lake)


def built(lake: Lake, shop: Path) -> pl.DataFrame:
    """Interactions of ``shop``, by way of the raw tables."""
    import_landing(lake, shop, NOW)
    ingest_landing(lake, shop, NOW)
    seen = lake.scan("raw/events").group_by("product_id").agg(first_seen=pl.col("timestamp").min())
    lake.replace("silver/products", product_history(lake.scan("raw/catalogue"), seen).to_arrow())
    engine = engine_on(lake)
    written = build_interactions(engine, FIRST, LAST)
    engine.close()
    rows = lake.scan("silver/interactions").collect()
    assert rows.height == written.rows
    return rows.sort("event_id")


def test_a_folder_needs_no_options_and_aws_takes_them_from_where_aws_has_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "RECO_S3_REGION"):
        monkeypatch.delenv(name, raising=False)
    assert open_lake(Settings(lake_uri="/srv/lake")) == Lake("/srv/lake")
    assert open_lake(Settings(lake_uri="s3://shop/lake")) == Lake("s3://shop/lake")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert open_lake(Settings(lake_uri="s3://shop/lake")).storage_options == {"AWS_REGION": "eu-west-1"}
    told = open_lake(Settings(lake_uri="s3://shop/lake", s3_endpoint="https://s3.example", s3_region="here"))
    assert told.storage_options == {
        "AWS_REGION": "here",
        "AWS_ENDPOINT_URL": "https://s3.example",
        "AWS_ALLOW_HTTP": "false",
    }


def test_interactions_in_a_bucket_are_those_in_a_folder(lake: Lake, shop: Path, tmp_path: Path) -> None:
    there, here = built(lake, shop), built(Lake(str(tmp_path / "lake")), shop)
    assert there.equals(here)
    assert there["event_date"].unique().sort().to_list() == [FIRST, date(2025, 6, 2), LAST]


def test_what_is_imported_into_a_bucket_is_imported_once(lake: Lake, shop: Path) -> None:
    first = import_landing(lake, shop, NOW)
    files = lake.files("raw/events")
    again = import_landing(lake, shop, NOW)
    assert (first.accepted, again.accepted, again.duplicates) == (1_500, 0, 1_500)
    assert lake.files("raw/events") == files
    assert all(path.startswith(lake.root) for path in files)
    assert lake.span("raw/events") == (FIRST, LAST)


@pytest.fixture
def engine(lake: Lake) -> Iterator[Engine]:
    made = engine_on(lake)
    yield made
    made.close()


def test_the_engine_opens_only_the_files_of_the_days_asked_for(
    engine: Engine, client: Store, settings: Settings
) -> None:
    days = [date(2025, 6, 1), date(2025, 6, 2)]
    tiles = pl.DataFrame({"user_id": ["007", "u2"], "event_date": days, "events": [1, 2]})
    engine.lake.replace("gold/user_days", tiles.to_arrow())
    bucket = bucket_of(settings)
    for path in engine.lake.files("gold/user_days", days[1], days[1]):
        client.delete_object(Bucket=bucket, Key=path.removeprefix(f"s3://{bucket}/"))
    found = engine.table("gold/user_days", event_dates=(days[0], days[0]))
    assert pl.DataFrame(engine.to_arrow(found)).rows() == [("007", days[0], 1)]


def test_a_window_made_from_the_same_bucket_is_replaced(engine: Engine) -> None:
    days = [date(2025, 6, 1), date(2025, 6, 2)]
    rows = pl.DataFrame({"user_id": [f"u{n}" for n in range(200_000)], "events": range(200_000)})
    tiles = pl.concat([rows.with_columns(event_date=pl.lit(day)) for day in days])
    engine.lake.replace("gold/user_days", tiles.to_arrow())
    twice = engine.table("gold/user_days", event_dates=(days[1], days[1]))
    twice = twice.mutate(events=twice.events * 2)
    assert engine.replace_window("gold/user_days", twice, days[1], days[1]).rows == 200_000
    sums = engine.lake.scan("gold/user_days").group_by("event_date").agg(pl.col("events").sum()).collect()
    total = 200_000 * 199_999 // 2
    assert sorted(sums.rows()) == [(days[0], total), (days[1], 2 * total)]


def test_a_lake_in_a_bucket_that_is_not_there_is_said_so(settings: Settings, endpoint: str) -> None:
    lake = open_lake(Settings(lake_uri="s3://nowhere-to-be-found/lake", s3_endpoint=endpoint))
    with pytest.raises(MissingDependency, match="raw/events"):
        lake.exists("raw/events")


def test_the_command_line_brings_imports_and_materializes_in_the_bucket(
    settings: Settings, client: Store, shop: Path
) -> None:
    bucket = bucket_of(settings)
    for path in shop.rglob("*.*"):
        client.upload_file(str(path), bucket, f"landing/{path.relative_to(shop)}")
    selected = 'group:"events" or group:"catalogue" or key:"interactions"'
    done = subprocess.run(
        [sys.executable, "-m", "reco_assets.cli.main", "materialize", "--select", selected, "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    told = json.loads(done.stdout)
    assert (told["first"], told["last"]) == (str(FIRST), str(LAST))
    assert told["tables"]["raw/events"]["rows"] == 1_500
    lake = open_lake(settings)
    assert lake.scan("silver/interactions").collect()["event_id"].n_unique() == 1_500
    assert not (settings.home / "lake").exists()
