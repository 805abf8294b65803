import numpy as np
import pytest

from reco_assets.ranking.metrics import Scoreboard, ranking_metrics


def rows(*items: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.array(items, np.int32)


def test_a_perfect_answer_scores_one_everywhere() -> None:
    assert set(ranking_metrics(rows(4, 7), rows(4, 7)).values()) == {1.0}


def test_an_answer_without_a_hit_scores_zero_everywhere() -> None:
    assert set(ranking_metrics(rows(1, 2), rows(4)).values()) == {0.0}


def test_a_hit_in_third_place() -> None:
    found = ranking_metrics(rows(1, 2, 4), rows(4, 9))
    assert found["mrr@20"] == pytest.approx(1 / 3)
    assert found["recall@10"] == pytest.approx(1 / 2)
    assert found["ndcg@10"] == pytest.approx((1 / 2) / (1 + 1 / np.log2(3)))


def test_a_scoreboard_is_the_mean_over_its_decisions() -> None:
    board = Scoreboard()
    board.add({"a": rows(1)}, rows(1))
    board.add({"a": rows(2)}, rows(1))
    assert board.means()["a"]["hit@10"] == 0.5


@pytest.mark.parametrize(("k", "hit", "place"), [(1, 0.0, 0.0), (2, 0.0, 0.0), (3, 1.0, 1 / 3)])
def test_one_wanted_item_counts_down_to_its_place(k: int, hit: float, place: float) -> None:
    found = ranking_metrics(rows(1, 2, 4, 5), rows(4), (f"hit@{k}", f"mrr@{k}"))
    assert found == {f"hit@{k}": hit, f"mrr@{k}": pytest.approx(place)}


def test_more_wanted_than_fit_can_still_be_a_perfect_ndcg() -> None:
    found = ranking_metrics(rows(*range(20)), rows(*range(40)), ("ndcg@10", "recall@20"))
    assert found == {"ndcg@10": pytest.approx(1.0), "recall@20": pytest.approx(0.5)}


def test_an_empty_answer_scores_zero() -> None:
    assert set(ranking_metrics(rows(), rows(1)).values()) == {0.0}


def board(*pairs: tuple[bool, bool]) -> Scoreboard:
    """Decisions of which ``a`` and ``b`` found the product, or did not."""
    made = Scoreboard()
    for a, b in pairs:
        made.add({"a": rows(1 if a else 2), "b": rows(1 if b else 2)}, rows(1))
    return made


def test_one_is_clearly_better_only_by_more_than_its_error() -> None:
    few = board((True, False), (True, True), (False, True), (True, False))
    assert few.means()["a"]["hit@10"] > few.means()["b"]["hit@10"]
    assert not few.clearly_better("a", "b", "hit@10")
    assert board(*[(True, False)] * 3, *[(True, True)] * 9).clearly_better("a", "b", "hit@10")
    assert not board((True, True), (False, False)).clearly_better("a", "b", "hit@10")
    assert not board((True, False)).clearly_better("a", "b", "hit@10")
