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
#: Folders whose tests take longest: whoever has them begins with them.
_LONGEST = ("system", "benchmarks", "features")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where several processes test, a folder's tests stay in one, which has their servers and shops."""
    folders = {item: item.path.relative_to(_CHECKOUT / "tests").parts[0] for item in items}
    for item, folder in folders.items():
        item.add_marker(pytest.mark.xdist_group(folder))
    items.sort(key=lambda item: _LONGEST.index(folders[item]) if folders[item] in _LONGEST else len(_LONGEST))


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
