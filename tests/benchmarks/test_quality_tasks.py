from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from benchmarks.quality.definitions import interactions, sequences, sessions
from benchmarks.quality.tasks import ASKED, DAY, MINUTE, Ragged, Task
from reco_assets.errors import BadInput
from reco_assets.events.contract import EventType


def written(path: Path, **columns: object) -> Path:
    pl.DataFrame(columns).write_parquet(path)
    return path


def events(task: Task) -> list[tuple[str, str, int]]:
    """What may be learned: (person, product, microseconds before the question), oldest first."""
    log, ids = task.history.log, task.history.items.ids
    rows = zip(log.user.tolist(), log.item.tolist(), log.time.tolist(), strict=True)
    return [(log.user_ids[user], ids[item], ASKED - time) for user, item, time in rows]


def questions(task: Task) -> list[tuple[list[str], list[str]]]:
    ids = task.history.items.ids

    def named(rows: Sequence[int]) -> list[str]:
        return [ids[row] if row >= 0 else "unknown" for row in rows]

    return [
        (named(past.tolist()), named(wanted.tolist()))
        for past, wanted in task.cases.questions(range(len(task.cases)))
    ]


def test_sessions_keep_their_order_and_their_events_are_a_minute_apart(tmp_path: Path) -> None:
    train = written(tmp_path / "train", session=[0, 1], items=[["a", "b", "a"], ["c", "b"]])
    test = written(tmp_path / "test", prefix=[["a"]], target=["b"])
    found = events(sessions(train, test))
    assert [(user, item) for user, item, _ in found] == [
        ("0", "a"), ("0", "b"), ("0", "a"), ("1", "c"), ("1", "b"),
    ]  # fmt: skip
    assert found[0][2] - found[1][2] == MINUTE
    assert found[0][2] - found[3][2] == 15 * DAY
    assert found[4][2] > 0


def test_a_session_asks_for_its_target_and_what_was_never_learned_is_unknown(tmp_path: Path) -> None:
    train = written(tmp_path / "train", session=[0], items=[["a", "b"]])
    test = written(tmp_path / "test", prefix=[["a", "z", "b"], ["b"]], target=["a", "new"])
    task = sessions(train, test, k=5)
    assert questions(task) == [(["a", "b"], ["a"]), (["b"], ["unknown"])]
    assert task.metrics == {"P@5": "hit@5", "MRR@5": "mrr@5"}
    state = task.state(task.cases.past[1])
    assert state.times.tolist() == [ASKED - MINUTE]
    assert len(state.bought) == 0


def test_questions_of_one_session_make_a_group(tmp_path: Path) -> None:
    train = written(tmp_path / "train", session=[0], items=[["a", "b"]])
    prefix = [["a", "b", "c"], ["a", "b"], ["a"], ["b"], ["c", "a"], ["c"]]
    test = written(tmp_path / "test", prefix=prefix, target=["d", "c", "b", "b", "b", "a"])
    group = sessions(train, test).cases.group.tolist()
    assert [group.index(one) for one in group] == [0, 0, 0, 3, 4, 4]


def test_of_a_sequence_the_last_item_is_asked_and_the_one_before_it_only_told(tmp_path: Path) -> None:
    data = written(tmp_path / "data", user=["u", "v"], items=[["a", "b", "c", "d"], ["b", "a", "c"]])
    task = sequences(data)
    assert questions(task) == [(["a", "b", "c"], ["unknown"]), (["b", "a"], ["c"])]
    assert events(task) == [
        ("u", "a", 3 * DAY), ("u", "b", 2 * DAY), ("u", "c", DAY), ("v", "b", 2 * DAY), ("v", "a", DAY),
    ]  # fmt: skip
    assert task.learned_before == ASKED
    assert sequences(data, learn_validation=False).learned_before == ASKED - DAY
    state = task.state(task.cases.past[0])
    assert state.times.tolist() == [ASKED - 3 * DAY, ASKED - 2 * DAY, ASKED - DAY]
    assert state.bought.tolist() == state.items.tolist()


def test_a_sequence_needs_three_items(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="'items' has a list of fewer than 3"):
        sequences(written(tmp_path / "data", user=["u"], items=[["a", "b"]]))


def test_a_set_asks_for_the_hidden_items_of_those_who_have_some(tmp_path: Path) -> None:
    train = written(tmp_path / "train", user=[1, 2], items=[["a", "b"], ["c"]])
    test = written(tmp_path / "test", user=[2, 3], items=[["a", "b"], ["c"]])
    task = interactions(train, test)
    asked = questions(task)
    assert sorted((past, sorted(wanted)) for past, wanted in asked) == [([], ["c"]), (["c"], ["a", "b"])]
    assert task.state(task.cases.past[0]).bought.tolist() == task.cases.past[0].tolist()
    assert task.kind == EventType.purchase


def test_sources_learn_nothing_from_the_validation_file(tmp_path: Path) -> None:
    train = written(tmp_path / "train", user=[1], items=[[str(n) for n in range(50)]])
    test = written(tmp_path / "test", user=[1], items=[["60"]])
    valid = written(tmp_path / "valid", user=[1], items=[["70"]])
    task = interactions(train, test, valid)
    learned = task.history.log.before(task.learned_before)
    assert {task.history.items.ids[row] for row in learned.item.tolist()} == {str(n) for n in range(50)}
    assert [item for _, item, ago in events(task) if ago == DAY] == ["70"]


def test_without_a_validation_file_a_part_of_the_training_validates(tmp_path: Path) -> None:
    train = written(tmp_path / "train", user=[1], items=[[str(n) for n in range(500)]])
    test = written(tmp_path / "test", user=[1], items=[["600"]])
    task = interactions(train, test)
    days = [ago // DAY for _, _, ago in events(task)]
    assert [30 < days.count(ago) < 75 for ago in (1, 2)] == [True, True]
    assert len(task.history.log.before(task.learned_before)) == 500


def test_lists_of_rows_may_be_empty() -> None:
    task_items = pl.Series([["a"], [], ["b", "a"]], dtype=pl.List(pl.String))
    from benchmarks.quality.tasks import catalogue

    lists = Ragged.of(task_items, catalogue(pl.Series(["a", "b"])))
    assert [lists[at].tolist() for at in range(3)] == [[0], [], [1, 0]]
