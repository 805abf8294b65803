"""What served last is on this machine's disk, whole, whatever becomes of where it came from."""

from __future__ import annotations

import shutil
from pathlib import Path

from reco_assets.platform.registry import Champion
from reco_assets.platform.settings import Settings
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.integrity import verify
from reco_serving.last_good import KEPT, LastGood
from tests.serving.bundles import bundle


def champion(folder: Path, version: str) -> Champion:
    return Champion(version, bundle(f"bundle {version}").save(folder / version))


def test_it_outlives_the_registrys_files(tmp_path: Path) -> None:
    kept = LastGood.of(Settings(home=tmp_path / "home"))
    assert kept.find() is None
    kept.keep(champion(tmp_path / "registry", "7"))
    shutil.rmtree(tmp_path / "registry")
    found = kept.find()
    assert found is not None
    assert found.version == "7"
    verify(found.folder)
    assert Bundle.load(found.folder).version == "bundle 7"
    kept.keep(found)  # what was started from here is here already
    assert kept.find() == found


def test_the_last_few_stay(tmp_path: Path) -> None:
    kept = LastGood.of(Settings(home=tmp_path / "home"))
    for version in ("1", "2", "3", "4"):
        kept.keep(champion(tmp_path / "registry", version))
    assert len(list(kept.root.glob("reco-bundle-*"))) == KEPT
    found = kept.find()
    assert found is not None
    assert found.version == "4"


def test_a_version_that_was_made_anew_replaces_its_copy(tmp_path: Path) -> None:
    kept = LastGood.of(Settings(home=tmp_path / "home"))
    kept.keep(champion(tmp_path / "registry", "1"))
    again = Champion("1", bundle("made anew").save(tmp_path / "again"))
    kept.keep(again)
    found = kept.find()
    assert found is not None
    assert Bundle.load(found.folder).version == "made anew"


def test_another_models_bundle_is_not_taken_for_ones_own(tmp_path: Path) -> None:
    LastGood.of(Settings(home=tmp_path / "home")).keep(champion(tmp_path / "registry", "1"))
    assert LastGood.of(Settings(home=tmp_path / "home", model_name="other")).find() is None
