"""Leaving things out: a source falls silent, a group of features is unknown, the rest stays as it is."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks.quality.ablation import ALL, Sheet, compared
from benchmarks.quality.command import main
from benchmarks.quality.definitions import sessions
from benchmarks.quality.leaving_out import groups, masked, quiet
from benchmarks.quality.lessons import Exam, session_exam
from reco_assets.candidates.sources import SOURCES
from reco_assets.features.catalogue import RANKING_FEATURES
from reco_assets.ranking.training import TrainingBudget
from reco_assets.recommender.recommend import propose, recommend
from reco_assets.recommender.state import empty_state
from reco_assets.recommender.types import Request, UserState
from tests.benchmarks.test_quality_command import lists


def files(folder: Path) -> tuple[Path, Path]:
    """Walks on a ring: what comes next is nearly certain."""
    walks, asked = lists(200, 8, 1), lists(40, 8, 2)
    pl.DataFrame({"session": list(range(200)), "items": walks}).write_parquet(folder / "train")
    prefix, target = [walk[:-1] for walk in asked], [walk[-1] for walk in asked]
    pl.DataFrame({"prefix": prefix, "target": target}).write_parquet(folder / "test")
    return folder / "train", folder / "test"


def exam_state(exam: Exam) -> UserState:
    bundle = exam.lesson.asked
    first = np.array([3, 4], np.int32)
    return replace(
        empty_state(),
        items=first,
        kinds=np.zeros(2, np.int8),
        times=np.array([bundle.manifest.as_of - 2, bundle.manifest.as_of - 1], np.int64),
    )


@pytest.fixture(scope="module")
def exam(tmp_path_factory: pytest.TempPathFactory) -> Exam:
    task = sessions(*files(tmp_path_factory.mktemp("ring")), 5)
    return session_exam(task, None, TrainingBudget(), lambda told: None)


def test_every_column_is_of_one_group() -> None:
    columns = [column for group in groups().values() for column in group]
    assert sorted(columns) == list(range(len(RANKING_FEATURES)))
    assert {"user", "product", "source scores", "history", "context"} <= set(groups())


def test_a_silent_source_scores_nothing_and_the_matrix_keeps_its_width(exam: Exam) -> None:
    bundle = exam.lesson.asked
    state = exam_state(exam)
    column = list(SOURCES).index("also_viewed")
    _, heard = propose(Request(), state, bundle, bundle.policy, bundle.manifest.as_of)
    _, muted = propose(Request(), state, quiet(bundle, "also_viewed"), bundle.policy, bundle.manifest.as_of)
    assert heard.scores[:, column].max() > 0
    assert muted.scores.shape[1] == heard.scores.shape[1]
    assert not muted.scores[:, column].any()
    others = np.delete(np.arange(len(SOURCES)), column)
    both, at, there = np.intersect1d(heard.items, muted.items, return_indices=True)
    assert len(both)
    assert (heard.scores[at][:, others] == muted.scores[there][:, others]).all()


def test_an_answer_is_full_without_popular_too(exam: Exam) -> None:
    bundle = quiet(exam.lesson.asked, "popular")
    shown = recommend(
        Request(n=20), exam_state(exam), bundle, bundle.policy, bundle.manifest.as_of
    ).recommendations
    assert len({one.item for one in shown}) == 20


def test_a_ranker_trained_without_a_group_answers_alike_whatever_is_in_it(exam: Exam) -> None:
    rows = exam.lesson.rows()
    for group in ("history", "source scores"):
        columns = groups()[group]
        learned, held = (masked(part, columns) for part in rows)
        ranker = exam.lesson.trained((learned, held)).ranker
        assert ranker is not None
        changed = rows[0].features.copy()
        changed[:, columns] = np.random.default_rng(1).random((len(changed), len(columns)))
        assert (ranker.score(changed) == ranker.score(rows[0].features)).all()
    assert np.isfinite(rows[0].features[:, groups()["source scores"][0]]).all(), (
        "the rows themselves are kept"
    )


def test_the_luck_of_a_training_is_in_the_interval_of_a_difference() -> None:
    dice = np.random.default_rng(3)
    people = np.arange(400)
    sheet = Sheet(("P@5",), lambda bundle: np.empty((0, 1)), people)
    base = dice.random((400, 1))

    def trained(worth: float, luck: Sequence[float]) -> list[np.ndarray]:
        """The same answers but for the luck of each training."""
        return [np.stack([base + worth + one for one in luck])]

    lucky = (-0.02, 0.0, 0.02)
    told = compared({ALL: trained(0.0, lucky), "a": trained(0.01, lucky), "b": trained(-0.2, lucky)}, [sheet])
    assert told["a"].luck["P@5"] == pytest.approx(0.02)
    # 1.96 * 0.02 * sqrt(2 / 3) on either side; nobody differs from anybody else
    assert told["a"].minus["P@5"].low == pytest.approx(0.01 - 0.032, abs=1e-3)
    assert told["a"].minus["P@5"].high == pytest.approx(0.01 + 0.032, abs=1e-3)
    assert told["b"].minus["P@5"].high < 0.0
    assert told[ALL].minus["P@5"].low == told[ALL].minus["P@5"].high == 0.0
    once = compared({ALL: trained(0.0, lucky[:1]), "a": trained(0.01, lucky[1:2])}, [sheet])
    assert once["a"].luck["P@5"] == 0.0
    assert once["a"].minus["P@5"].low == pytest.approx(0.03)


def test_other_dice_train_another_ranker(exam: Exam) -> None:
    rows = exam.lesson.rows()
    first, again, other = (exam.lesson.trained(rows, dice=dice).ranker for dice in (0, 0, 1))
    assert first is not None
    assert again is not None
    assert other is not None
    assert (first.score(rows[0].features) == again.score(rows[0].features)).all()
    assert (first.score(rows[0].features) != other.score(rows[0].features)).any()


def test_what_says_nothing_is_passed_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train, test = files(tmp_path)
    code = main([
        "ablation", "sessions", "--train", str(train), "--test", str(test), "--k", "5", "--json",
        "--only", "content,also_viewed,source scores", "--trainings", "2",
        "--plot", str(tmp_path / "lost.png"),
    ])  # fmt: skip
    caught = capsys.readouterr()
    assert code == 0, caught.err
    found = json.loads(caught.out)["results"]
    assert found["trainings"] == 2
    assert found["P@5_luck"] >= 0.0
    # the items have no texts, so the source content was silent before
    assert "without content" not in found
    assert "the source content is silent here" in caught.err
    for name in ("without also_viewed", "without features: source scores"):
        row = found[name]
        assert row["P@5_minus_all"] == pytest.approx(row["P@5"] - found["full"]["P@5"], abs=2e-5)
        assert row["P@5_minus_all_low"] <= row["P@5_minus_all"] <= row["P@5_minus_all_high"]
    assert (tmp_path / "lost.png").read_bytes().startswith(b"\x89PNG")
