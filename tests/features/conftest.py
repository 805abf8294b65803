"""An engine over an empty lake."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reco_assets.platform.duckdb_engine import DuckDBEngine
from reco_assets.platform.engine import Engine
from reco_assets.platform.lake import Lake


@pytest.fixture
def engine(lake: Lake) -> Iterator[Engine]:
    engine = DuckDBEngine(lake, threads=2, memory_gb=1)
    yield engine
    engine.close()
