"""What was asked outlives the worker: the next one tries its first bundle on it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

import msgspec
import pytest

from reco_assets.platform.registry import Champion
from reco_assets.platform.settings import Settings
from reco_serving.backlog import Backlog
from reco_serving.current import Current
from reco_serving.last_good import LastGood
from reco_serving.metrics import Metrics
from reco_serving.recordings import MOST_BYTES, PAUSE_SECONDS, Recordings
from reco_serving.rehearsal import RECORDED, Case
from reco_serving.state import Packed
from tests.serving.bundles import bundle
from tests.serving.conftest import redis_settings, store

__all__ = ["redis_settings", "store"]


def case(number: int, size: int = 0) -> Case:
    body = b'{"user_id": "u%d"}' % number
    return Case(body + b" " * size, Packed(b"\x01\xff", None, b"", number % 2 == 0))


CASES = tuple(case(number) for number in range(RECORDED))


@contextmanager
def running(settings: Settings, metrics: Metrics) -> Iterator[Current]:
    """The part of a worker that watches bundles; it serves the one that served last on this machine."""
    current = Current(settings, metrics, Backlog(settings, metrics))
    current.start()
    try:
        current.wait()
        assert current.loaded is not None, current.trouble
        yield current
    finally:
        current.stop()


def test_a_worker_that_starts_again_tries_its_bundle_on_what_was_asked(
    redis_settings: Settings, metrics: Metrics, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    LastGood.of(redis_settings).keep(Champion("1", bundle("kept").save(tmp_path / "kept")))
    with caplog.at_level(logging.INFO, "reco.bundle"):
        with running(redis_settings, metrics) as first:
            assert not first.recorded
            first.recorded.extend(case(number) for number in range(RECORDED + 8))
        with running(redis_settings, metrics) as second:
            assert list(second.recorded) == [case(number) for number in range(8, RECORDED + 8)]
    assert f"bundle kept on {RECORDED} requests" in caplog.text


def test_a_worker_whose_file_is_damaged_starts_all_the_same(
    redis_settings: Settings, metrics: Metrics, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    LastGood.of(redis_settings).keep(Champion("1", bundle("kept").save(tmp_path / "kept")))
    kept = Recordings.of(redis_settings)
    assert kept.keep(CASES)
    content = bytearray(kept.path.read_bytes())
    content[-5] ^= 0xFF
    kept.path.write_bytes(content)
    with caplog.at_level(logging.WARNING, "reco.bundle"), running(redis_settings, metrics) as current:
        assert not current.recorded
    assert "are not used: the file is damaged" in caplog.text


@pytest.mark.parametrize("length", [0, 10, 40])
def test_a_file_that_was_cut_is_not_used(tmp_path: Path, length: int) -> None:
    kept = Recordings(tmp_path / "asked")
    assert kept.keep(CASES)
    assert Recordings(kept.path).read() == CASES
    kept.path.write_bytes(kept.path.read_bytes()[:length])
    assert Recordings(kept.path).read() == ()
    assert Recordings(tmp_path / "never written").read() == ()


def test_a_file_of_another_version_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "asked"
    content = msgspec.msgpack.encode([0, "whatever that was"])
    path.write_bytes(blake2b(content, digest_size=16).digest() + content)
    assert Recordings(path).read() == ()
    assert "the file is of version 0, this is version 1" in caplog.text


def test_it_is_written_seldom_and_only_where_something_was_asked(tmp_path: Path) -> None:
    moments = iter([0.0, PAUSE_SECONDS - 1, PAUSE_SECONDS, 2 * PAUSE_SECONDS, 2 * PAUSE_SECONDS + 1])
    kept = Recordings(tmp_path / "serving" / "asked", lambda: next(moments))
    assert kept.keep(CASES[:1])
    assert not kept.keep(CASES[:2])
    assert kept.keep(CASES[:2])
    assert not kept.keep(CASES[:2])
    assert kept.keep(CASES[:3], at_once=True)
    assert Recordings(kept.path).read() == CASES[:3]
    assert [one.name for one in kept.path.parent.iterdir()] == ["asked"]


def test_a_request_that_is_too_long_is_not_kept_nor_what_was_before_it(tmp_path: Path) -> None:
    kept = Recordings(tmp_path / "asked")
    assert kept.keep([case(0), case(1, size=MOST_BYTES), case(2), case(3)])
    assert Recordings(kept.path).read() == (case(2), case(3))


def test_a_disk_that_takes_nothing_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "serving").write_text("a file where the folder should be")
    kept = Recordings(tmp_path / "serving" / "asked")
    assert not kept.keep(CASES, at_once=True)
    assert not kept.keep(CASES, at_once=True)
    assert caplog.text.count("what was asked last cannot be kept") == 1
    (tmp_path / "serving").unlink()
    assert kept.keep(CASES, at_once=True)
    assert kept.trouble is None
