"""A small shop that went through the whole graph, by the command line, once for all system tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.online.conftest import free_port


@dataclass(frozen=True)
class Shop:
    """One home folder and the environment in which every command sees it."""

    home: Path
    environment: dict[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``reco`` with ``arguments``; the caller looks at the exit code."""
        return subprocess.run(
            [sys.executable, "-m", "reco_assets.cli.main", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    def json(self, *arguments: str) -> dict[str, Any]:
        """Run ``reco ... --json``; it must succeed."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, f"{arguments}: {done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        found: dict[str, Any] = json.loads(done.stdout)
        return found


def open_shop(home: Path) -> Shop:
    """An empty home with ports of its own."""
    return Shop(
        home,
        os.environ
        | {
            "RECO_HOME": str(home),
            "DAGSTER_HOME": str(home / "dagster"),
            "RECO_REDIS_PORT": str(free_port()),
            "RECO_SERVICE_PORT": str(free_port()),
        },
    )


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Ten simulated days of a small shop, materialized from raw events to the online store."""
    home = tmp_path_factory.mktemp("shop")
    made = open_shop(home)
    made.json(
        "simulate", "--users", "200", "--products", "150", "--days", "10", "--events", "16000",
        "--end", "2026-03-31", str(home / "landing"),
    )  # fmt: skip
    made.json("materialize", "--decisions", "2000")
    yield made
    made.run("down")
