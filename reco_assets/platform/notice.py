"""How a service notices at once that somebody has promoted a version."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Final

import redis

from reco_assets.errors import MissingDependency
from reco_assets.platform.champion import SQLITE
from reco_assets.platform.promotion import local
from reco_assets.platform.redis import connect, redis_shown
from reco_assets.platform.settings import Settings

#: Counts promotions by hand; services that share a Redis look at it.
_KEY: Final = "reco:promotions"


def nudge(settings: Settings) -> None:
    """Tell every service that shares the Redis of ``settings``; MissingDependency where it cannot be told."""
    with closing(connect(settings, timeout_seconds=1.0)) as client:
        try:
            client.incr(_KEY)
        except redis.RedisError as error:
            told = f"telling services by Redis at {redis_shown(settings)}: {error}"
            raise MissingDependency(told) from error


def sign(settings: Settings, client: redis.Redis) -> tuple[object, ...]:
    """Changes when somebody may have promoted a version; costs a glance at a file or a key."""
    if local(settings):
        path = settings.mlflow_tracking_uri.removeprefix(SQLITE)
        return tuple(_changed(Path(f"{path}{end}")) for end in ("", "-wal"))
    try:
        return (client.get(_KEY),)
    except redis.RedisError:
        return ()  # without Redis nobody is told, and the registry is asked every second all the same


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
