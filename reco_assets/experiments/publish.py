"""Telling Redis the newest findings, each with its past from the lake."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec
import polars as pl
import redis

from reco_assets.experiments.findings import Findings
from reco_assets.experiments.published import Point, Published
from reco_assets.experiments.tables import RESULTS
from reco_assets.online import keys
from reco_assets.platform.lake import Lake

#: Days of the past that are shown.
_DAYS: Final = 60


def publish(client: redis.Redis, lake: Lake, known: Iterable[Findings]) -> None:
    """Tell Redis ``known``, each with its past from ``gold/experiment_results``."""
    for one in known:
        told = Published(one, path_of(lake, one))
        client.hset(keys.EXPERIMENT_FINDINGS, one.experiment, msgspec.msgpack.encode(told))


def path_of(lake: Lake, one: Findings) -> tuple[Point, ...]:
    """How the lift by the deciding metric went, a point a day and variant."""
    if not one.comparisons:
        return ()
    rows = (
        lake.scan(RESULTS)
        .filter(experiment=one.experiment, phase=one.phase, metric=one.comparisons[0].metric)
        .sort("as_of", "variant")
        .tail(_DAYS * len({found.variant for found in one.comparisons}))
        .select(
            "as_of",
            "variant",
            *(
                pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name)
                for name in ("lift", "lift_low", "lift_high")
            ),
        )
    )
    return tuple(Point(*row) for row in rows.collect().iter_rows())
