"""Where one version of the bundle lies, for a process that must not load MLflow; see ``champion``."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlparse

from reco_assets.errors import MissingBundle, MissingDependency
from reco_assets.platform.registry import Champion, bundle_folder, open_registry
from reco_assets.platform.settings import Settings

_SQLITE: Final = "sqlite:///"
_QUERY: Final = "SELECT storage_location FROM model_versions WHERE name = ? AND version = ?"


def find(settings: Settings, version: str) -> Champion:
    """Bundle ``version`` of the registry that ``settings`` mean, on this machine.

    Files of a remote store are brought here by MLflow, in a process of its own.

    Raises
    ------
    MissingBundle
        There is no such version, or its files are gone.
    MissingDependency
        The registry does not answer.
    """
    if settings.mlflow_tracking_uri.startswith(_SQLITE):
        location = urlparse(_location(settings, version))
        if location.scheme in ("file", ""):
            return Champion(version, bundle_folder(Path(unquote(location.path)), version))
    done = subprocess.run(
        [sys.executable, "-m", __name__, settings.model_dump_json(), version],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        raise MissingBundle(f"fetching version {version} of {settings.model_name}: {reason}")
    return Champion(version, Path(json.loads(done.stdout.strip().splitlines()[-1])))


def _location(settings: Settings, version: str) -> str:
    path = Path(settings.mlflow_tracking_uri.removeprefix(_SQLITE))
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=5.0)) as base:
            found = base.execute(_QUERY, (settings.model_name, version)).fetchone()
    except sqlite3.OperationalError as error:
        raise MissingDependency(
            f"reading the registry {path}: {error}", hint="MLflow may be upgrading it; it is tried again"
        ) from error
    if found is None:
        raise MissingBundle(
            f"opening version {version} of the bundle: the registry has none of {settings.model_name}",
            hint="`reco materialize` registers one; MLflow's page lists them",
        )
    return str(found[0])


if __name__ == "__main__":
    folder = open_registry(Settings.model_validate_json(sys.argv[1])).folder(sys.argv[2])
    sys.stdout.write(json.dumps(str(folder)) + "\n")
