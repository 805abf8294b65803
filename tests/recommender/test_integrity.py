"""A bundle whose files are not those that were written is refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reco_assets.errors import BadBundle
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.integrity import verify
from tests.serving.bundles import bundle


def test_what_was_saved_is_whole(tmp_path: Path) -> None:
    folder = bundle("whole").save(tmp_path / "bundle")
    verify(folder)
    bundle("saved over it").save(folder)
    verify(folder)
    assert Bundle.load(folder).version == "saved over it"
    summed = set(json.loads((folder / "checksums.json").read_text()))
    written = {str(path.relative_to(folder)) for path in folder.rglob("*.*")}
    assert summed == written - {"checksums.json", "manifest.json"}


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(b"torn")])
def test_a_file_that_is_gone_or_torn_is_named(tmp_path: Path, damage: object) -> None:
    folder = bundle("torn").save(tmp_path / "bundle")
    assert callable(damage)
    damage(folder / "arrays" / "product_matrix.npy")
    with pytest.raises(BadBundle, match=r"product_matrix\.npy"):
        verify(folder)


def test_a_bundle_from_before_there_were_checksums_passes(tmp_path: Path) -> None:
    folder = bundle("old").save(tmp_path / "bundle")
    (folder / "checksums.json").unlink()
    verify(folder)
    assert Bundle.load(folder).version == "old"
