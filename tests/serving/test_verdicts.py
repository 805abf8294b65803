"""Of the workers of a machine the first tries a new bundle, and the others take its word."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

import pytest
import redis

from reco_assets.platform.registry import Registry
from reco_assets.platform.settings import Settings
from reco_serving import opening as watched
from reco_serving.backlog import Backlog
from reco_serving.current import Current
from reco_serving.metrics import Metrics
from reco_serving.verdicts import Verdicts, mark_of
from tests.online.conftest import redis_settings, store
from tests.serving.bundles import bundle

__all__ = ["redis_settings", "store"]


def test_a_verdict_is_of_one_bundle_instead_of_one_other(tmp_path: Path) -> None:
    verdicts = Verdicts(tmp_path / "serving")
    assert not verdicts.passed(("2", 5), ("1", 4))
    verdicts.note(("2", 5), ("1", 4))
    assert verdicts.passed(("2", 5), ("1", 4))
    assert not verdicts.passed(("2", 6), ("1", 4))
    assert not verdicts.passed(("2", 5), ("0", 4))


def test_an_old_or_a_torn_verdict_is_none(tmp_path: Path) -> None:
    verdicts = Verdicts(tmp_path)
    verdicts.note(("2", 5), ("1", 4))
    [file] = tmp_path.iterdir()
    long_ago = time.time() - 3600
    os.utime(file, (long_ago, long_ago))
    assert not verdicts.passed(("2", 5), ("1", 4))
    file.write_text('[["2", 5')
    assert not verdicts.passed(("2", 5), ("1", 4))


def test_a_mark_changes_with_the_version_and_with_any_file(tmp_path: Path) -> None:
    (tmp_path / "arrays").mkdir()
    (tmp_path / "arrays" / "a.npy").touch()
    before = mark_of("1", tmp_path)
    assert mark_of("1", tmp_path) == before
    assert mark_of("2", tmp_path) != before
    later = time.time_ns() + 10**9
    os.utime(tmp_path / "arrays" / "a.npy", ns=(later, later))
    assert mark_of("1", tmp_path) != before


def test_only_the_first_worker_tries_a_bundle(
    redis_settings: Settings,
    store: redis.Redis,
    metrics: Metrics,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = redis_settings.model_copy(update={"home": tmp_path / "home"})
    registry = Registry(settings)
    run = registry.client().create_run(registry.experiment("test"))
    done: Counter[str] = Counter()
    for name in ("verify", "tried", "warm"):
        real = getattr(watched, name)
        monkeypatch.setattr(
            watched, name, lambda *given, name=name, real=real: (done.update([name]), real(*given))[1]
        )
    workers = [Current(settings, metrics, Backlog(settings, metrics)) for _ in range(2)]

    def promoted(name: str) -> None:
        version = registry.register_bundle(bundle(name).save(tmp_path / name), run.info.run_id)
        registry.promote(version, time.time_ns() // 1_000_000)
        for worker in workers:
            worker.look(store)
            assert worker.loaded is not None
            assert worker.loaded.bundle.version == name

    promoted("first")
    # nobody is waiting yet, and each makes sure of what it starts with
    assert done == {"verify": 2, "tried": 2, "warm": 2}
    done.clear()
    promoted("second")
    assert done == {"verify": 1, "tried": 1, "warm": 2}
