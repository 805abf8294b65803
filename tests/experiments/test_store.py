"""The experiments in a real Redis: announced, never overwritten, and there again when Redis forgot them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from reco_assets.errors import MissingDependency
from reco_assets.experiments.board import Board, start, stop
from reco_assets.experiments.store import Store, keep, kept, newer
from tests.experiments.builders import NOON, experiment
from tests.online.conftest import free_port, redis_settings, store

__all__ = ["redis_settings", "store"]


def begin(board: Board, name: str = "x") -> Board:
    return start(board, experiment(name), (0.01, 0.01), NOON)


def test_a_change_is_announced_and_comes_back(store: redis.Redis, tmp_path: Path) -> None:
    kept_in = Store(store, tmp_path)
    assert newer(store, 0) is None
    board = kept_in.change("started x", NOON, begin)
    assert kept_in.read() == board
    assert newer(store, 0) == board
    assert newer(store, board.version) is None


def test_changes_made_at_once_are_all_there(store: redis.Redis, tmp_path: Path) -> None:
    kept_in = Store(store, tmp_path)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: kept_in.change("s", NOON, lambda b: begin(b, f"x{n}")), range(12)))
    board = kept_in.read()
    assert {one.name for one in board.experiments} == {f"x{n}" for n in range(12)}
    assert board.version == 12
    assert len(kept_in.history()) == 12


def test_a_redis_that_lost_its_data_is_told_again_by_the_next_change(
    store: redis.Redis, tmp_path: Path
) -> None:
    kept_in = Store(store, tmp_path)
    kept_in.change("started x", NOON, begin)
    store.flushall()
    assert newer(store, 1) is None
    assert [one.name for one in kept_in.read().running] == ["x"]
    board = kept_in.change("stopped x", NOON + 1, lambda board: stop(board, "x", "done", NOON + 1))
    assert (board.version, newer(store, 1)) == (2, board)
    assert [change.done for change in kept_in.history()] == ["started x", "stopped x"]


def test_a_redis_that_is_away_is_one_line_that_says_so(tmp_path: Path) -> None:
    away = Store(redis.Redis(port=free_port(), retry=Retry(NoBackoff(), 0)), tmp_path, "redis://here")
    with pytest.raises(MissingDependency, match="asking Redis at redis://here for the experiments"):
        away.read()
    with pytest.raises(MissingDependency):
        away.change("started x", NOON, begin)
    assert away.history() == ()


def test_what_a_worker_keeps_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "known.json"
    assert kept(path) == Board()
    keep(path, begin(Board()))
    assert kept(path) == begin(Board())
