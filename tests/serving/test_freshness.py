"""How far Redis has come is told as it stands there."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import redis

from reco_assets.online import keys
from reco_assets.online.mark import Mark
from reco_assets.platform.settings import Settings
from reco_serving.backlog import Backlog
from reco_serving.metrics import Metrics
from tests.online.conftest import redis_settings, store

__all__ = ["redis_settings", "store"]


def test_the_moment_of_the_online_store_is_that_of_its_mark(
    metrics: Metrics, store: redis.Redis, redis_settings: Settings
) -> None:
    backlog = Backlog(redis_settings, metrics)
    backlog.look(store)
    assert metrics.freshness.users._value.get() == 0
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    store.set(keys.ONLINE_MARK, msgspec.json.encode(Mark(at, 1, 1, 1)))
    backlog.look(store)
    assert metrics.freshness.users._value.get() == at.timestamp()
    backlog.close()
