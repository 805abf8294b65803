"""Spark starts one at a time: its first start fills a cache of packages that all processes share."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from reco_assets.platform import spark_engine

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def test_two_starts_do_not_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    inside: list[int] = []
    most: list[int] = []

    def build() -> SparkSession:
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.05)
        inside.pop()
        context = SimpleNamespace(setLogLevel=lambda level: None)
        return cast("SparkSession", SimpleNamespace(sparkContext=context))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: spark_engine.started(build), range(4)))
    assert most == [1, 1, 1, 1]
