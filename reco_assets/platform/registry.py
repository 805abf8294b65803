"""The registry of recommender bundles: MLflow, with the alias ``champion`` on the one that serves."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlparse

from reco_assets.errors import MissingBundle
from reco_assets.platform.settings import Settings

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

# MLflow reads these when it is imported, which every function here puts off until it is needed.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# The environment of a bundle is this project; its lock file need not be copied into every version.
os.environ.setdefault("MLFLOW_UV_AUTO_DETECT", "false")

CHAMPION: Final = "champion"
CHALLENGER: Final = "challenger"
#: Its ``_load_pyfunc``, ``signature`` and ``example`` make a bundle an MLflow model. It is named, not
#: imported: this room knows nothing of recommenders.
LOADER: Final = "reco_assets.online.pyfunc"
_MANIFEST: Final = "manifest.json"
#: Tag of a model version that keeps when, and instead of which, it was promoted.
PROMOTED: Final = "promoted_at"
BEFORE: Final = "promoted_instead_of"


@dataclass(frozen=True)
class Champion:
    """The bundle that is to serve: its version in the registry, and its folder on this machine."""

    version: str
    folder: Path


@dataclass(frozen=True)
class Promotion:
    """One move of the alias ``champion``: UTC milliseconds, to which version, from which."""

    at: int
    version: str
    before: str


@dataclass(frozen=True)
class Registry:
    """The models named ``settings.model_name`` on the tracking server that ``settings`` mean."""

    settings: Settings

    def client(self) -> MlflowClient:
        """MLflow's own client; the local database and its folder are made where they are missing."""
        from mlflow.tracking import MlflowClient

        uri = self.settings.mlflow_tracking_uri
        if self.settings.mlflow_uri is None:
            (self.settings.home / "mlflow").mkdir(parents=True, exist_ok=True)
        return MlflowClient(tracking_uri=uri, registry_uri=uri)

    def experiment(self, name: str) -> str:
        """Id of experiment ``name``, made where it is missing, with its artifacts beside the database."""
        client = self.client()
        found = client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        location = None
        if self.settings.mlflow_uri is None:
            location = (self.settings.home / "mlflow" / "artifacts" / name).resolve().as_uri()
        return client.create_experiment(name, artifact_location=location)

    def register_bundle(self, folder: Path, run_id: str, tags: Mapping[str, str] | None = None) -> str:
        """Log the bundle in ``folder`` to run ``run_id`` and register it; its version.

        Nothing serves it before it is promoted.
        """
        mlflow, model = _mlflow(), import_module(LOADER)
        client = self.client()
        experiment = client.get_run(run_id).info.experiment_id
        mlflow.set_tracking_uri(self.settings.mlflow_tracking_uri)
        mlflow.set_registry_uri(self.settings.mlflow_tracking_uri)
        with mlflow.start_run(run_id=run_id, experiment_id=experiment):
            logged = mlflow.pyfunc.log_model(
                name="bundle",
                loader_module=LOADER,
                data_path=str(folder),
                signature=model.signature(),
                input_example=model.example(),
                pip_requirements=[],
                registered_model_name=self.settings.model_name,
            )
        version = str(logged.registered_model_version)
        for key, value in (tags or {}).items():
            client.set_model_version_tag(self.settings.model_name, version, key, value)
        return version

    def set_alias(self, alias: str, version: str) -> None:
        """Point ``alias`` at ``version``."""
        self.client().set_registered_model_alias(self.settings.model_name, alias, version)

    def promote(self, version: str, at_ms: int) -> None:
        """Make ``version`` the champion; ``at_ms`` (UTC milliseconds) goes into the history."""
        client = self.client()
        before = self.version_of(CHAMPION) or ""
        client.set_model_version_tag(self.settings.model_name, version, PROMOTED, str(at_ms))
        client.set_model_version_tag(self.settings.model_name, version, BEFORE, before)
        client.set_registered_model_alias(self.settings.model_name, CHAMPION, version)

    def promotions(self) -> tuple[Promotion, ...]:
        """Every version that was ever promoted, the latest first, each with its last promotion."""
        found = self.client().search_model_versions(f"name = '{self.settings.model_name}'")
        moves = [
            Promotion(int(one.tags[PROMOTED]), str(one.version), one.tags.get(BEFORE, ""))
            for one in found
            if PROMOTED in one.tags
        ]
        return tuple(sorted(moves, key=lambda move: -move.at))

    def version_of(self, alias: str) -> str | None:
        """Version that ``alias`` points at; None where there is none."""
        from mlflow.exceptions import MlflowException

        try:
            return str(self.client().get_model_version_by_alias(self.settings.model_name, alias).version)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise

    def champion(self) -> Champion | None:
        """The bundle that is to serve, on this machine; None where nothing was promoted."""
        version = self.version_of(CHAMPION)
        return Champion(version, self.folder(version)) if version is not None else None

    def folder(self, version: str) -> Path:
        """Folder of bundle ``version``: a local one as it lies there, a remote one downloaded once.

        Raises
        ------
        MissingBundle
            The registry knows the version, but its files are gone.
        """
        uri = self.client().get_model_version_download_uri(self.settings.model_name, version)
        address = urlparse(uri)
        local = address.scheme in ("file", "")
        model = Path(unquote(address.path)) if local else self._downloaded(version, uri)
        return bundle_folder(model, version)

    def _downloaded(self, version: str, uri: str) -> Path:
        from mlflow.artifacts import download_artifacts

        target = self.settings.home / "bundles" / f"{self.settings.model_name}-{version}"
        if not target.exists():
            partial = target.with_suffix(f".{os.getpid()}.partial")
            partial.mkdir(parents=True, exist_ok=True)
            download_artifacts(artifact_uri=uri, dst_path=str(partial), tracking_uri=self.settings.mlflow_uri)
            try:
                partial.rename(target)
            except OSError:
                if not target.exists():
                    raise  # else another process was faster, and its copy is whole
        return target


def bundle_folder(model: Path, version: str) -> Path:
    """Where the bundle lies inside the files of MLflow model ``model``; MissingBundle where it does not."""
    for manifest in (*model.glob(f"*/{_MANIFEST}"), *model.glob(f"*/*/{_MANIFEST}")):
        return manifest.parent
    raise MissingBundle(
        f"opening version {version} of the bundle: there is none in {model}",
        hint="train again, or promote another version",
    )


def _mlflow() -> ModuleType:
    with warnings.catch_warnings():
        # importing it warns of its own type hints, which nobody here can change
        warnings.simplefilter("ignore")
        import mlflow
        import mlflow.pyfunc
    # it tells of every step it takes, and that an environment without pip cannot be described
    for chatty in ("mlflow", "alembic"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    return mlflow


def open_registry(settings: Settings) -> Registry:
    """The registry that ``settings`` mean; nothing is connected before it is used."""
    return Registry(settings)
