"""Moving the alias ``champion`` by hand, in a moment.

MLflow takes seconds to import, and an operator who takes a bad version back has none to lose. So the
alias is moved where MLflow keeps it, as :mod:`reco_assets.platform.champion` reads it: in its local
database, in one transaction, or over its documented REST interface.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import httpx

from reco_assets.errors import MissingBundle, MissingDependency
from reco_assets.platform.champion import SQLITE, TIMEOUT_SECONDS, credentials
from reco_assets.platform.registry import BEFORE, CHAMPION, PROMOTED
from reco_assets.platform.settings import Settings

_Tags = dict[str, str]
_REFUSED: Final = "train with `reco materialize`, or name a version of the registry"


def promoted(settings: Settings) -> str | None:
    """The version that is champion; None where none is.

    Raises
    ------
    MissingBundle
        There is no registry yet.
    MissingDependency
        The registry does not answer.
    """
    with closing(_open(settings)) as registry:
        return registry.champion()


def promote(settings: Settings, version: str, at_ms: int) -> str | None:
    """Make ``version`` the champion; the version that it was before. ``at_ms``: UTC milliseconds.

    Raises
    ------
    MissingBundle
        The registry has no such version.
    MissingDependency
        The registry does not answer.
    """
    with closing(_open(settings)) as registry:
        before = registry.champion()
        registry.check(version)
        if version != before:
            registry.move(version, {PROMOTED: str(at_ms), BEFORE: before or ""})
    return before


def rollback(settings: Settings, at_ms: int) -> tuple[str, str]:
    """Make that version champion which the present one was promoted instead of; both, the left one first.

    The version that is gone back to keeps what it was itself promoted instead of, so that a second
    rollback goes one further back.

    Raises
    ------
    MissingBundle
        Nothing is promoted, or nothing was before.
    MissingDependency
        The registry does not answer.
    """
    with closing(_open(settings)) as registry:
        now = registry.champion()
        target = registry.before(now) if now is not None else None
        if now is None or not target:
            raise MissingBundle(
                f"going back from version {now or 'none'} of {settings.model_name}: nothing was before it",
                hint="name a version: `reco promote VERSION`",
            )
        registry.check(target)
        registry.move(target, {PROMOTED: str(at_ms)})
    return now, target


def local(settings: Settings) -> bool:
    """Whether the registry is a database of this machine, which its services see change by themselves."""
    return settings.mlflow_tracking_uri.startswith(SQLITE)


def _open(settings: Settings) -> _Database | _Rest:
    return _Database(settings) if local(settings) else _Rest(settings)


class _Database:
    """The registry in MLflow's local database."""

    def __init__(self, settings: Settings) -> None:
        self._model = settings.model_name
        path = Path(settings.mlflow_tracking_uri.removeprefix(SQLITE))
        if not path.exists():
            raise MissingBundle(f"opening the registry {path}: there is none", hint=_REFUSED)
        self._base = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=TIMEOUT_SECONDS)

    def champion(self) -> str | None:
        return self._one(
            "SELECT version FROM registered_model_aliases WHERE name = ? AND alias = ?", self._model, CHAMPION
        )

    def before(self, version: str) -> str | None:
        return self._one(
            "SELECT value FROM model_version_tags WHERE name = ? AND version = ? AND key = ?",
            self._model,
            int(version),
            BEFORE,
        )

    def check(self, version: str) -> None:
        known = version.isdecimal() and self._one(
            "SELECT version FROM model_versions WHERE name = ? AND version = ?", self._model, int(version)
        )
        if not known:
            raise _unknown(self._model, version)

    def move(self, version: str, tags: _Tags) -> None:
        space = self._one(
            "SELECT workspace FROM model_versions WHERE name = ? AND version = ?", self._model, int(version)
        )
        try:
            with self._base:
                self._base.executemany(
                    "INSERT OR REPLACE INTO model_version_tags (workspace, name, version, key, value)"
                    " VALUES (?, ?, ?, ?, ?)",
                    [(space, self._model, int(version), *tag) for tag in tags.items()],
                )
                self._base.execute(
                    "INSERT OR REPLACE INTO registered_model_aliases (workspace, name, alias, version)"
                    " VALUES (?, ?, ?, ?)",
                    (space, self._model, CHAMPION, int(version)),
                )
        except sqlite3.Error as error:
            raise _silent(self._model, error) from error

    def close(self) -> None:
        self._base.close()

    def _one(self, query: str, *given: str | int) -> str | None:
        try:
            found = self._base.execute(query, given).fetchone()
        except sqlite3.Error as error:
            raise _silent(self._model, error) from error
        return None if found is None else str(found[0])


class _Rest:
    """The registry of an MLflow server."""

    def __init__(self, settings: Settings) -> None:
        self._model = settings.model_name
        headers, auth = credentials()
        self._client = httpx.Client(
            base_url=f"{settings.mlflow_tracking_uri.rstrip('/')}/api/2.0/mlflow",
            headers=headers,
            auth=auth,
            timeout=TIMEOUT_SECONDS,
        )

    def champion(self) -> str | None:
        told = self._ask("GET", "registered-models/alias", {"name": self._model, "alias": CHAMPION})
        return None if told is None else str(told["model_version"]["version"])

    def before(self, version: str) -> str | None:
        told = self._version(version)
        tags: Iterable[Any] = [] if told is None else told.get("tags", [])
        return next((str(tag["value"]) for tag in tags if tag["key"] == BEFORE), None)

    def check(self, version: str) -> None:
        if self._version(version) is None:
            raise _unknown(self._model, version)

    def move(self, version: str, tags: _Tags) -> None:
        named = {"name": self._model, "version": version}
        for key, value in tags.items():
            self._ask("POST", "model-versions/set-tag", named | {"key": key, "value": value})
        self._ask("POST", "registered-models/alias", named | {"alias": CHAMPION})

    def close(self) -> None:
        self._client.close()

    def _version(self, version: str) -> dict[str, Any] | None:
        told = self._ask("GET", "model-versions/get", {"name": self._model, "version": version})
        return None if told is None else dict(told["model_version"])

    def _ask(self, method: str, path: str, given: dict[str, str]) -> dict[str, Any] | None:
        try:
            sent = {"params": given} if method == "GET" else {"json": given}
            answer = self._client.request(method, f"/{path}", **sent)  # type: ignore[arg-type]
            told: dict[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise _silent(self._model, error) from error
        if answer.status_code == httpx.codes.OK:
            return told
        if told.get("error_code") in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise _silent(self._model, f"HTTP {answer.status_code} {told}")


def _unknown(model: str, version: str) -> MissingBundle:
    return MissingBundle(f"promoting version {version} of {model}: the registry has none", hint=_REFUSED)


def _silent(model: str, error: object) -> MissingDependency:
    return MissingDependency(
        f"moving the champion of {model}: {error}",
        hint=f"is the registry up? RECO_MLFLOW_URI is {os.environ.get('RECO_MLFLOW_URI') or 'not set'}",
    )
