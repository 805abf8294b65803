"""One simulated shop for all tests that need a whole one."""

from __future__ import annotations

import pytest

from reco_assets.platform.lake import Lake
from tests.ranking.simulated import simulated


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Ten simulated days with every table made from them; tests read it only."""
    return simulated(tmp_path_factory.mktemp("whole"))
