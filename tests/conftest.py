"""Fixtures that every test may use: the real data files, an empty lake, and Spark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reco_assets.platform.lake import Lake
from reco_assets.platform.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real data files; a missing one is a failure that says what to do."""
    folder = _CHECKOUT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.fail(
            f"the real data files are missing: {folder} is not a folder; "
            "put the files that its README lists there and run again"
        )
    return folder


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake of real Delta tables."""
    return Lake(str(tmp_path / "lake"))


@pytest.fixture(scope="module")
def session() -> Iterator[SparkSession]:
    """A local Spark for one module's tests, made for small tables."""
    from reco_assets.platform.spark_engine import local_session

    session = local_session(Settings(engine="spark", threads=2, memory_gb=2))
    # compiling each query to bytecode pays off on big tables only
    session.conf.set("spark.sql.codegen.wholeStage", "false")
    session.conf.set("spark.sql.shuffle.partitions", "2")
    yield session
    session.stop()
