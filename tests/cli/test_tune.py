"""``reco tune`` looks at the examples of the last retraining, and writes what the next one reads."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from reco_assets.cli.main import run
from reco_assets.features.catalogue import RANKING_FEATURES, names
from reco_assets.platform.lake import open_lake
from reco_assets.platform.settings import Settings
from reco_assets.ranking.lambdamart import RankerParameters
from reco_assets.ranking.parameters import read_parameters
from tests.ranking.test_search import examples


def fill(home: Path) -> None:
    """A lake with examples of two stretches of time."""
    parts = []
    for part, rows in (("train", examples(1)), ("validation", examples(2))):
        head = pl.DataFrame({"decision": rows.decision, "grade": rows.grade, "weight": rows.weights})
        features = pl.from_numpy(rows.features, schema=list(names(RANKING_FEATURES)))
        parts.append(head.with_columns(part=pl.lit(part), event_date=pl.date(2025, 1, 1)).hstack(features))
    open_lake(Settings(home=home)).replace("gold/training_examples", pl.concat(parts).to_arrow())


def test_the_best_is_written_and_read_by_the_next_retraining(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path)
    assert run(["tune", "--minutes", "0.05", "--home", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["attempts"][0]["parameters"]["max_depth"] == RankerParameters().max_depth
    assert told["best"]["ndcg"] == max(one["ndcg"] for one in told["attempts"])
    used = read_parameters(tmp_path / "ranker.toml")
    assert used.learning_rate == told["best"]["parameters"]["learning_rate"]
    assert (told["written"] is None) == (told["best"] == told["attempts"][0])


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path)
    assert run(["tune", "--minutes", "0.01", "--home", str(tmp_path), "--dry-run"]) == 0
    assert "attempts" in capsys.readouterr().out
    assert not (tmp_path / "ranker.toml").exists()


def test_without_examples_it_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tune", "--home", str(tmp_path)]) == 1
    assert "hint: run: reco materialize" in capsys.readouterr().err
