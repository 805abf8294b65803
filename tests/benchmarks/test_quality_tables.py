"""The tables of the page, from the JSON that a run prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.quality.recorded import recorded
from benchmarks.quality.tables import tables
from benchmarks.report import Value
from reco_assets.errors import BadInput

COSTS: dict[str, Value] = {
    "fit_seconds": 61.4,
    "answer_seconds": 12.0,
    "fit_peak_rss_mb": 2_345,
    "answer_peak_rss_mb": 1_234,
}


def scored(**means: float) -> dict[str, Value]:
    """Each metric with an interval of a tenth around it."""
    ends = {f"{name}_low": mean - 0.1 for name, mean in means.items()}
    return {**means, **ends, **{f"{name}_high": mean + 0.1 for name, mean in means.items()}}


def run(path: Path, **results: dict[str, Value]) -> Path:
    machine = {"cpu": "a CPU", "cores": 2, "memory_gb": 24.6}
    document = {"benchmark": "quality", "machine": machine, "commit": "abc", "results": results}
    path.write_text(json.dumps(document))
    return path


def test_a_public_split_stands_beside_what_is_listed_the_best_first(tmp_path: Path) -> None:
    own: dict[str, Value] = {"fit_seconds": 1.0, "answer_ms": 0.5, "answer_p99_ms": 0.75}
    beauty: dict[str, Value] = {
        "popular": {**scored(**{"HR@10": 0.2, "NDCG@10": 0.1}), **own},
        "full": {**scored(**{"HR@10": 0.4, "NDCG@10": 0.3}), **own},
        "content": {**scored(**{"HR@10": 0.0, "NDCG@10": 0.0}), **own},
        "ranks_by": "ranker",
        "questions": 1_000,
        **COSTS,
    }
    told = tables(recorded(run(tmp_path / "run.json", amazon_beauty=beauty))).splitlines()
    assert told[0] == "Measured on a CPU, 2 cores, 25 GB, at `abc`."
    assert "### Amazon Beauty, 1,000 questions" in told
    names = [line.split(" | ")[0].removeprefix("| ") for line in told if line.startswith("| ")]
    assert names[:5] == ["recommender", "---", "`full`", "`popular`", "S3-Rec, listed"]
    assert "| `full` | 0.4000 (0.3000 to 0.5000) | 0.3000 (0.2000 to 0.4000) | 1.0 | 0.50 (0.75) |" in told
    assert "| S3-Rec, listed | 0.0647 | 0.0327 |  |  |" in told
    assert told[-1] == (
        "Silent here, with 0: `content`. `full` ranks by: ranker. Learning everything took 61 s and at most "
        "2,345 MB; answering with every recommender 12 s and at most 1,234 MB."
    )


def shop() -> dict[str, Value]:
    """Two questions, one of which nobody new was asked."""
    rows: dict[str, Value] = {}
    for name, recall in (("full", 0.5), ("blend", 0.4), ("popularity", 0.3)):
        figures: dict[str, Value] = {"fit_seconds": 2.0}
        for question in ("purchases", "discovery"):
            figures |= scored(**{f"{question}.recall@20": recall, f"{question}.ndcg@20": recall / 2})
            figures |= scored(**{f"{question}.heavy.recall@20": 0.25, f"{question}.heavy.ndcg@20": 0.125})
            figures |= {f"{question}.answer_ms": 1.5, f"{question}.answer_p99_ms": 3.0}
            figures |= {f"{question}.coverage": 0.125, f"{question}.gini": 0.75}
            figures |= {f"{question}.novelty_bits": 6.0, f"{question}.category_diversity": None}
            figures[f"{question}.factor_diversity"] = 0.5
        rows[name] = figures
    asked: Value = {
        question: {"questions": 9, "persons": 9, "targets": 30, "heavy_questions": 9}
        for question in ("purchases", "discovery")
    }
    point = {"answer_ms": 1.25, "category_diversity": None, "factor_diversity": 0.5}
    points: Value = [
        {"value": value, **point, **scored(**{"recall@20": value / 1000, "ndcg@20": 0.2}),
         **scored(**{"recall@20_minus": value / 1000 - 0.4, "ndcg@20_minus": 0.0})}
        for value in (100, 400)
    ]  # fmt: skip
    curve: Value = {
        "question": "discovery",
        "knob": "candidates",
        "default": 400,
        "asked": 9,
        "points": points,
    }
    return {
        **rows, "asked": asked, "ranks_by": ["ranker"], "split": "2013-07-15T00:00:00Z", "curves": [curve],
        "full_minus": {"blend": scored(**{"purchases.recall@20": 0.1})}, "not_asked": {}, **COSTS,
    }  # fmt: skip


def test_of_a_shop_segments_variety_and_costs_are_told_too(tmp_path: Path) -> None:
    told = tables(recorded(run(tmp_path / "run.json", tmall2014=shop()))).splitlines()
    assert "**Tmall 2014, split at 2013-07-15T00:00:00Z**" in told
    score = "0.500 (0.400 to 0.600) / 0.250"
    assert f"| `full` | {score} | {score} | 2.0 | 1.50 (3.00) |" in told
    assert (
        "| Gorse 0.5.11 at its best of many settings, listed, not run here "
        "| 0.094 / 0.053 | 0.054 / 0.072 |  |  |" in told
    )
    assert "| discovery |  |  |  | 0.250 / 0.125 (9) |" in told
    assert "| next purchases | `full` | 0.125 | 0.750 | 6.000 |  | 0.500 |" in told


def test_a_curve_has_a_line_a_value_and_the_difference_to_the_default(tmp_path: Path) -> None:
    told = tables(recorded(run(tmp_path / "run.json", tmall2014=shop()))).splitlines()
    assert "`candidates`, discovery, 9 questions" in told
    assert (
        "| 100 | 0.1000 (0.0000 to 0.2000) | -0.3000 (-0.4000 to -0.2000) | 0.2000 (0.1000 to 0.3000) "
        "| +0.0000 (-0.1000 to +0.1000) |  | 0.500 | 1.25 |" in told
    )
    assert "| 400 | 0.4000 (0.3000 to 0.5000) |  | 0.2000 (0.1000 to 0.3000) |  |  | 0.500 | 1.25 |" in told


def test_a_result_of_one_data_set_is_called_by_its_file(tmp_path: Path) -> None:
    path = run(tmp_path / "mine.json", **shop())  # type: ignore[arg-type]
    (one,) = recorded(path).found
    assert one.name == "mine"
    assert set(one.rows) == {"full", "blend", "popularity"}


@pytest.mark.parametrize("text", ["no JSON", '{"benchmark": "serving"}', '{"results": {"x": 1}}'])
def test_a_file_that_no_run_has_printed_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(text)
    with pytest.raises(BadInput, match="this is no JSON of a run"):
        recorded(path)
