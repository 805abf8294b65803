"""Each sub-command, from small files to its JSON."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks.quality.command import main
from reco_assets.candidates.sources import SOURCES


def lists(people: int, longest: int, seed: int) -> list[list[str]]:
    """Walks on a ring of 30 products: what comes next is nearly certain."""
    rng = np.random.default_rng(seed)
    return [
        [str((start + step) % 30) for step in range(length)]
        for start, length in zip(
            rng.integers(0, 30, people).tolist(), rng.integers(4, longest, people).tolist(), strict=True
        )
    ]


def written(path: Path, **columns: object) -> str:
    pl.DataFrame(columns).write_parquet(path)
    return str(path)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    caught = capsys.readouterr()
    return code, caught.out, caught.err


def results(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, float]]:
    code, out, err = run(capsys, *arguments, "--json")
    assert code == 0, err
    document = json.loads(out)
    assert document["benchmark"] == "quality"
    found: dict[str, dict[str, float]] = document["results"]
    return found


def assert_every_row_is_sound(found: dict[str, dict[str, float]], metric: str) -> None:
    """Every row is there, each in its interval, and order-aware sources see more than popularity does."""
    assert {"full", "blend", "popularity", *SOURCES} <= set(found)
    for name in ("full", "blend", "popularity", *SOURCES):
        row = found[name]
        assert 0.0 <= row[f"{metric}_low"] <= row[metric] <= row[f"{metric}_high"] <= 1.0
        assert row["answer_ms"] > 0.0
    assert found["session_neighbours"][metric] > found["popularity"][metric]
    assert found["also_viewed"][metric] > found["popularity"][metric]
    assert found["full"][metric] > found["popularity"][metric]


def test_sessions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    walks, asked = lists(200, 8, 1), lists(40, 8, 2)
    train = written(tmp_path / "train", session=list(range(200)), items=walks)
    test = written(
        tmp_path / "test", prefix=[walk[:-1] for walk in asked], target=[walk[-1] for walk in asked]
    )
    found = results(capsys, "sessions", "--train", train, "--test", test, "--k", "3")
    assert_every_row_is_sound(found, "P@3")
    assert_every_row_is_sound(found, "MRR@3")


def test_sequences_with_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    walks = lists(150, 10, 3)
    data = written(tmp_path / "data", user=list(range(150)), items=walks)
    plot = tmp_path / "plot.png"
    assert_every_row_is_sound(results(capsys, "sequences", "--data", data, "--plot", str(plot)), "NDCG@10")
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_interactions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sets = lists(150, 20, 4)
    people = list(range(150))
    train = written(tmp_path / "train", user=people, items=[one[:-1] for one in sets])
    test = written(tmp_path / "test", user=people, items=[one[-1:] for one in sets])
    code, out, err = run(capsys, "interactions", "--train", train, "--test", test, "--cases", "50")
    assert code == 0, err
    assert "interactions: 50 questions" in out
    head, *rows = out.splitlines()[1:]
    assert head.split()[:4] == ["Recall@10", "Recall@20", "NDCG@10", "NDCG@20"]
    recall = {cells[0]: float(cells[1]) for row in rows if (cells := row.split())[0] in SOURCES}
    assert recall["factors"] > recall["popular"]


def test_a_wrong_column_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = written(tmp_path / "data", user=[1], things=[[1]])
    code, out, err = run(capsys, "sequences", "--data", data)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "no column 'items'" in err


def test_all_names_the_files_that_are_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "all", "--data", str(tmp_path))
    assert code == 1
    assert "diginetica/train_sessions.parquet" in err
    assert "ml_1m/valid.parquet" in err
