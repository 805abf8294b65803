"""The asset ``ranker`` reads rows of one log only."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from reco_assets.errors import BadInput
from reco_assets.platform.resources import Platform
from reco_assets.ranking import assets

# Dagster asks Pydantic for a resource's fields by their old name
pytestmark = pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated")


def test_a_log_that_is_newer_than_the_examples_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECO_HOME", str(tmp_path))
    platform = Platform()
    platform.artifacts().save("held_setting", {"last": np.array(1)}, {"as_of": 1})
    monkeypatch.setattr(assets, "load_learning_log", lambda platform: (None, 2))
    with pytest.raises(BadInput, match="newer than the training examples"):
        dg.materialize([assets.ranker], resources={"platform": platform})
