"""Processes that are kept alive from outside, so that a benchmark may kill them as it likes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import Final, Self

import redis

from benchmarks.report import process_tree
from reco_assets.errors import MissingDependency, RecoError
from reco_assets.platform.redis import connect, start_redis
from reco_assets.platform.settings import Settings

#: Pause before a process that has ended is started again, as a supervisor makes it.
AGAIN_SECONDS: Final = 0.2
_END_SECONDS: Final = 30.0


class Supervised:
    """Something that runs in a session of its own, and is started again whenever it ends.

    Parameters
    ----------
    commands
        Modules with their arguments, by the names of what they are; where there are several they take
        turns.

    Attributes
    ----------
    name
        Which of them was started last.
    starts
        How often any was started.
    """

    def __init__(
        self, commands: Mapping[str, Sequence[str]], environment: Mapping[str, str], log: Path
    ) -> None:
        self._commands = cycle(commands.items())
        self.name = next(iter(commands))
        self._environment = dict(environment)
        self._log = log
        self._wanted = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.starts = 0

    def __enter__(self) -> Self:
        self._wanted.set()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def pid(self) -> int | None:
        """Process id; None while it does not run."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def kill(self) -> bool:
        """Kill -9 it and all of its children; whether it was there."""
        pid = self.pid
        if pid is None:
            return False
        _kill(process_tree(pid))
        return True

    def end(self) -> None:
        """Ask it to end, and do not start it again; whoever does not listen is killed."""
        self._wanted.clear()
        pid = self.pid
        family = process_tree(pid) if pid is not None else []
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
        self._thread.join(_END_SECONDS)
        _kill(family)
        self._thread.join()

    def _watch(self) -> None:
        with self._log.open("ab") as log:
            while self._wanted.is_set():
                self.name, arguments = next(self._commands)
                self._process = subprocess.Popen(
                    [sys.executable, "-m", *arguments],
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
                self.starts += 1
                self._process.wait()
                time.sleep(AGAIN_SECONDS)


def _kill(processes: Sequence[int]) -> None:
    """A worker of the service is in another process group, and outlives who started it."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def kill_redis(settings: Settings) -> bool:
    """Kill -9 the embedded Redis of this home; whether it was there."""
    try:
        with connect(settings) as client:
            process = int(client.info("server")["process_id"])
    except redis.RedisError:
        return False
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    return True


def revive_redis(settings: Settings) -> None:
    """Start the embedded Redis, whoever else may be about to; raises MissingDependency."""
    end = time.monotonic() + _END_SECONDS
    while True:
        try:
            start_redis(settings)
        except RecoError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return


class Waiting:
    """``while waiting(...)``: false when done; raises MissingDependency when it has taken too long."""

    def __init__(self, seconds: float, what: str, pause: float) -> None:
        self._end = time.monotonic() + seconds
        self._what, self._pause = what, pause

    def __call__(self, still: bool) -> bool:
        """Whether to go on waiting, after a pause."""
        if not still:
            return False
        if time.monotonic() > self._end:
            raise MissingDependency(f"waiting in vain: {self._what}", hint="read the logs beside the home")
        time.sleep(self._pause)
        return True
