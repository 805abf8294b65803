from pathlib import Path

import numpy as np
import pytest

from reco_assets.errors import MissingTable
from reco_assets.platform.artifacts import KEPT, Artifacts


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    artifacts.save("log", {"time": np.arange(3), "empty": np.empty(0, np.int32)}, {"as_of": 7})
    found = artifacts.load("log")
    assert found["time"].tolist() == [0, 1, 2]
    assert found["empty"].dtype == np.int32
    assert artifacts.facts("log")["as_of"] == 7


def test_the_newest_version_is_read_and_only_a_few_are_kept(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    for number in range(KEPT + 2):
        artifacts.save("log", {"n": np.array([number])})
    assert artifacts.load("log")["n"].tolist() == [KEPT + 1]
    assert len(list((tmp_path / "log").iterdir())) == KEPT


def test_a_folder_that_was_not_finished_is_never_read(tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path)
    artifacts.save("log", {"n": np.array([1])})
    (artifacts.new("log") / "n.npy").write_bytes(b"half")
    assert artifacts.load("log")["n"].tolist() == [1]


def test_an_artifact_that_was_never_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingTable, match="ranker"):
        Artifacts(tmp_path).load("ranker")
