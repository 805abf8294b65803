"""Changes of a shop's database, from their stream to the tables and the online store, as Dagster does it."""

from __future__ import annotations

import dagster as dg
import pytest
import redis

from reco_assets.catalogue.assets import orders, products, raw_changes, users
from reco_assets.catalogue.sensors import changes_sensor
from reco_assets.platform.lake import open_lake
from reco_assets.platform.resources import Platform
from reco_assets.platform.settings import Settings
from reco_assets.platform.streams.open import open_stream
from tests.catalogue.changes import change, encoded
from tests.streaming.test_sensor import collect, followed, look, settings, store

__all__ = ["settings", "store"]

# Dagster 1.13 asks its resources for their fields by Pydantic's old name.
pytestmark = pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated")

BOOT = {"id": "p1", "title": "Boot", "price": 9.5}
LINE = {"id": 5, "order_id": 1, "user_id": "u1", "product_id": "p1", "ordered_at": "2024-05-01T10:00:00Z"}


def tell(settings: Settings, *messages: object) -> None:
    """Append changes to the stream ``shop``."""
    open_stream(settings, "shop").append([("0", message) for message in encoded(*messages)])


def asked() -> str:
    """What the sensor says."""
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance, resources={"platform": Platform()})
        (said,) = changes_sensor(context)  # type: ignore[misc]
    assert isinstance(said, dg.RunRequest | dg.SkipReason)
    return said.tags["reco/reason"] if isinstance(said, dg.RunRequest) else str(said.skip_message)


def brought_in() -> None:
    """One run of what the sensor's job selects."""
    with dg.DagsterInstance.ephemeral() as instance:
        selected = [raw_changes, orders, products, users]
        done = dg.materialize(selected, instance=instance, resources={"platform": Platform()})
    assert done.success


def test_nothing_is_asked_for_where_no_stream_is_named(settings: Settings) -> None:
    assert asked() == "RECO_CHANGES_STREAMS names no stream"


def test_a_cancelled_order_is_no_purchase_any_more(
    settings: Settings, store: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECO_CHANGES_STREAMS", "shop")
    lake = open_lake(settings)
    collect(settings, "p1")
    assert asked() == "no changes wait"
    tell(
        settings,
        change("c", "2024-05-01", 1, after=BOOT),
        change("c", "2024-05-01T10:00", 2, table="order_items", after=LINE),
    )
    assert asked() == "changes wait: {'shop': 2}"

    brought_in()
    followed()

    assert asked() == "no changes wait"
    kinds = lake.scan("silver/interactions").collect()["event_type"].sort().to_list()
    assert kinds == ["click", "purchase"]
    before = store.get("u:u1")

    tell(settings, change("u", "2024-05-02", 3, table="order_items", after=LINE | {"status": "Cancelled"}))
    brought_in()
    said, _ = look()
    assert isinstance(said, dg.RunRequest)
    followed()

    assert lake.scan("silver/interactions").collect()["event_type"].to_list() == ["click"]
    assert lake.scan("gold/user_days").select("purchases").sum().collect().item() == 0
    assert store.get("u:u1") != before
    said, _ = look()
    assert isinstance(said, dg.SkipReason)
