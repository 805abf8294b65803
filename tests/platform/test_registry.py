"""A real MLflow: register, promote, find the files where they lie."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from reco_assets.errors import MissingBundle, MissingDependency
from reco_assets.platform.champion import look
from reco_assets.platform.registry import CHALLENGER, Promotion, Registry
from reco_assets.platform.settings import Settings
from reco_assets.recommender.bundle import Bundle
from tests.serving.bundles import bundle


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One database for all tests here: to make it takes seconds."""
    return tmp_path_factory.mktemp("registry")


@pytest.fixture
def registry(home: Path, request: pytest.FixtureRequest) -> Registry:
    """A registry in which the test's own model does not exist yet."""
    return Registry(Settings(home=home, model_name=request.node.name))


def register(registry: Registry, name: str, folder: Path) -> str:
    """Register a bundle called ``name``, made by a run of its own; its version."""
    run = registry.client().create_run(registry.experiment("tests"))
    return registry.register_bundle(bundle(name).save(folder / name), run.info.run_id, {"bundle": name})


def test_nothing_is_champion_at_first(registry: Registry) -> None:
    assert registry.champion() is None
    assert registry.promotions() == ()
    assert registry.version_of(CHALLENGER) is None


def test_a_registered_bundle_serves_only_when_it_is_promoted(
    registry: Registry, home: Path, tmp_path: Path
) -> None:
    assert register(registry, "first", tmp_path) == "1"
    assert registry.champion() is None
    registry.promote("1", at_ms=1_000)
    assert register(registry, "second", tmp_path) == "2"
    registry.set_alias(CHALLENGER, "2")
    assert registry.version_of(CHALLENGER) == "2"
    champion = registry.champion()
    assert champion is not None
    assert champion.version == "1"
    assert Bundle.load(champion.folder).version == "first"
    assert champion.folder.is_relative_to(home / "mlflow" / "artifacts")
    registry.promote("2", at_ms=2_000)
    assert registry.promotions() == (Promotion(2_000, "2", "1"), Promotion(1_000, "1", ""))


def test_the_champion_can_be_looked_up_without_mlflow(registry: Registry, tmp_path: Path) -> None:
    assert look(registry.settings) is None
    register(registry, "one", tmp_path)
    assert look(registry.settings) is None
    registry.promote("1", at_ms=1)
    champion = look(registry.settings)
    assert champion == registry.champion()
    assert look(registry.settings, champion) is champion
    assert look(Settings(home=tmp_path)) is None


def test_a_registry_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    away = Settings(home=tmp_path, mlflow_uri="http://127.0.0.1:9")
    with pytest.raises(MissingDependency, match="asking the registry at http://127"):
        look(away)


def test_a_bundle_whose_files_are_gone_is_named(registry: Registry, tmp_path: Path) -> None:
    register(registry, "one", tmp_path)
    registry.promote("1", at_ms=1)
    champion = registry.champion()
    assert champion is not None
    shutil.rmtree(champion.folder)
    with pytest.raises(MissingBundle, match="opening version 1 of the bundle"):
        registry.champion()


def test_the_registered_model_answers_by_itself(registry: Registry, tmp_path: Path) -> None:
    import mlflow

    register(registry, "one", tmp_path)
    registry.promote("1", at_ms=1)
    model = mlflow.pyfunc.load_model(f"models:/{registry.settings.model_name}@champion")
    asked = pd.DataFrame({"recent_products": [["p1", "p2"], []], "n": [3, 5]})
    assert [len(ids) for ids in model.predict(asked)["product_ids"]] == [3, 5]
