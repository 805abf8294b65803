"""A worker ends with the process that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.serving.conftest import until

WORKER = """
import asyncio, pathlib, sys, time
until = time.monotonic() + 30.0
while not pathlib.Path(sys.argv[1]).exists() and time.monotonic() < until:
    time.sleep(0.02)  # as long as a worker imports
from reco_serving.parent import end_with, parent
asyncio.run(end_with(parent()))
"""
STARTER = """
import subprocess, sys, time
from reco_serving.parent import starts_workers
starts_workers()
print(subprocess.Popen([sys.executable, "-c", sys.argv[1], sys.argv[2]]).pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("when", ["while it imports", "while it serves"])
def test_a_worker_ends_when_its_starter_is_killed(tmp_path: Path, when: str) -> None:
    imported = tmp_path / "imported"
    command = [sys.executable, "-c", STARTER, WORKER, str(imported)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        worker = int(starter.stdout.readline())
        if when == "while it serves":
            imported.touch()
            time.sleep(0.5)
        assert _runs(worker)
        starter.send_signal(signal.SIGKILL)
    imported.touch()
    until(lambda: not _runs(worker), "the worker ends")


def _runs(number: int) -> bool:
    try:
        os.kill(number, 0)
        # one that has ended may wait for whoever adopted it to hear so
        return Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
