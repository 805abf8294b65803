"""Who is champion, asked every other second by a process that must not load MLflow.

MLflow takes seconds and 200 MB to import, and brings Spark along. So the alias is read where MLflow
keeps it, in its local database or over its documented REST interface; files of a remote store are
brought here by MLflow itself, in a process of its own, once for each version.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlparse

import httpx

from reco_assets.errors import MissingBundle, MissingDependency
from reco_assets.platform.registry import CHAMPION, Champion, bundle_folder, open_registry
from reco_assets.platform.settings import Settings

SQLITE: Final = "sqlite:///"
TIMEOUT_SECONDS: Final = 5.0
_QUERY: Final = """
    SELECT v.version, v.storage_location
    FROM registered_model_aliases a
    JOIN model_versions v ON v.workspace = a.workspace AND v.name = a.name AND v.version = a.version
    WHERE a.name = ? AND a.alias = ?
"""


def look(settings: Settings, known: Champion | None = None) -> Champion | None:
    """The champion of the registry that ``settings`` mean; ``known`` where it is still that one.

    None where nothing was ever promoted.

    Raises
    ------
    MissingDependency
        The registry does not answer.
    MissingBundle
        The champion's files are gone.
    """
    if settings.mlflow_tracking_uri.startswith(SQLITE):
        return _in_database(settings, known)
    version = _over_rest(settings)
    if version is None or (known is not None and known.version == version):
        return known if version is not None else None
    return _fetched(settings)


def _in_database(settings: Settings, known: Champion | None) -> Champion | None:
    path = Path(settings.mlflow_tracking_uri.removeprefix(SQLITE))
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=TIMEOUT_SECONDS)) as base:
            found = base.execute(_QUERY, (settings.model_name, CHAMPION)).fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):  # it is being made at this moment
            return None
        raise MissingDependency(
            f"reading the registry {path}: {error}", hint="MLflow may be upgrading it; it is tried again"
        ) from error
    if found is None:
        return None
    version, location = str(found[0]), urlparse(str(found[1]))
    if known is not None and known.version == version:
        return known
    if location.scheme in ("file", ""):
        return Champion(version, bundle_folder(Path(unquote(location.path)), version))
    return _fetched(settings)


def _over_rest(settings: Settings) -> str | None:
    headers, auth = credentials()
    try:
        answer = httpx.get(
            f"{settings.mlflow_tracking_uri.rstrip('/')}/api/2.0/mlflow/registered-models/alias",
            params={"name": settings.model_name, "alias": CHAMPION},
            headers=headers,
            auth=auth,
            timeout=TIMEOUT_SECONDS,
        )
        told = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise MissingDependency(
            f"asking the registry at {settings.mlflow_tracking_uri}: {error}",
            hint="is the MLflow server up? correct RECO_MLFLOW_URI otherwise",
        ) from error
    if answer.status_code == httpx.codes.OK:
        return str(told["model_version"]["version"])
    if told.get("error_code") in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
        return None
    raise MissingDependency(
        f"asking the registry at {settings.mlflow_tracking_uri}: HTTP {answer.status_code} {told}",
        hint="check RECO_MLFLOW_URI and the credentials in MLFLOW_TRACKING_*",
    )


def credentials() -> tuple[dict[str, str], tuple[str, str] | None]:
    """Headers, and user and password where there are any, as MLflow's own client takes them."""
    token, user = os.environ.get("MLFLOW_TRACKING_TOKEN"), os.environ.get("MLFLOW_TRACKING_USERNAME")
    auth = (user, os.environ.get("MLFLOW_TRACKING_PASSWORD", "")) if user else None
    return ({"Authorization": f"Bearer {token}"} if token else {}), auth


def _fetched(settings: Settings) -> Champion:
    """Bring the champion's files to this machine, in a process that ends afterwards."""
    done = subprocess.run(
        [sys.executable, "-m", __name__, settings.model_dump_json()],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
        raise MissingBundle(f"fetching the champion of {settings.model_name}: {reason}")
    told = json.loads(done.stdout.strip().splitlines()[-1])
    return Champion(told["version"], Path(told["folder"]))


if __name__ == "__main__":
    champion = open_registry(Settings.model_validate_json(sys.argv[1])).champion()
    if champion is None:
        sys.exit("nothing is promoted")
    sys.stdout.write(json.dumps({"version": champion.version, "folder": str(champion.folder)}) + "\n")
