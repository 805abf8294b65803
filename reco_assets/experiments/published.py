"""The newest findings in Redis, for readers that must not open the lake."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import cast

import msgspec
import redis
from msgspec import Struct

from reco_assets.experiments.findings import Findings
from reco_assets.online import keys


class Point(Struct, frozen=True):
    """One day's interval of a variant's lift by the metric that decides."""

    as_of: date
    variant: str
    lift: float | None
    low: float | None
    high: float | None


class Published(Struct, frozen=True):
    """The newest findings of an experiment, and how the deciding metric went in this phase."""

    findings: Findings
    path: tuple[Point, ...]


def published(written: Mapping[bytes, bytes]) -> dict[str, Published]:
    """What ``publish`` wrote, as ``HGETALL`` gives it, by the experiment's name."""
    return {name.decode(): _decoded(value) for name, value in written.items()}


def read_published(client: redis.Redis) -> dict[str, Published]:
    """The newest findings of all experiments; raises redis.RedisError."""
    return published(cast("dict[bytes, bytes]", client.hgetall(keys.EXPERIMENT_FINDINGS)))


def _decoded(value: bytes) -> Published:
    return msgspec.msgpack.decode(value, type=Published)
