"""Fixtures that every test may use: the real data files, and an empty lake."""

from __future__ import annotations

from pathlib import Path

import pytest

from reco_assets.platform.lake import Lake

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
