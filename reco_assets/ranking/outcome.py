"""What a retraining found, as the later steps read it: which ranking was chosen, and the scores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import cast

import xgboost

from reco_assets.platform.artifacts import Artifacts
from reco_assets.ranking.policy_value import NOTHING, PolicyValue
from reco_assets.ranking.split import Split
from reco_assets.ranking.training import Choice
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.ranker import Ranker

_RANKER = "ranker.ubj"

Means = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Chosen:
    """The ranking that the validation day chose.

    Attributes
    ----------
    name
        ``ranker``, ``blend`` or the one source whose order is taken.
    """

    name: str
    ranker: Ranker | None
    blend: tuple[float, ...]
    run_id: str

    def applied_to(self, bundle: Bundle) -> Bundle:
        """``bundle`` ranking this way."""
        return replace(bundle, ranker=self.ranker, manifest=replace(bundle.manifest, blend=self.blend))


def save_choice(artifacts: Artifacts, choice: Choice, run_id: str) -> None:
    """Keep the chosen ranking for the steps after it."""
    folder = artifacts.new("ranker")
    if choice.trained is not None:
        choice.trained.ranker.booster.save_model(folder / _RANKER)
    facts = {"name": choice.name, "blend": list(choice.blend), "run_id": run_id}
    (folder / "facts.json").write_text(json.dumps(facts, indent=2))
    artifacts.publish(folder)


def load_choice(artifacts: Artifacts) -> Chosen:
    """The newest chosen ranking."""
    facts = artifacts.facts("ranker")
    path = artifacts.latest("ranker") / _RANKER
    booster = xgboost.Booster(params={"nthread": 1}, model_file=path) if path.exists() else None
    return Chosen(
        name=str(facts["name"]),
        ranker=Ranker(booster) if booster is not None else None,
        blend=tuple(cast("list[float]", facts["blend"])),
        run_id=str(facts["run_id"]),
    )


def save_means(artifacts: Artifacts, means: Means, decisions: int, split: Split) -> None:
    """Keep what the held-out day said."""
    artifacts.save("evaluation", {}, {"means": means, "decisions": decisions, "split": asdict(split)})


def load_means(artifacts: Artifacts) -> Means:
    """What the held-out day said, newest."""
    return cast("Means", artifacts.facts("evaluation")["means"])


def save_value(artifacts: Artifacts, worth: PolicyValue | None) -> None:
    """Keep what the challenger would have earned on logged answers."""
    facts = {"told": policy_text(worth), "metrics": dict(worth.metrics()) if worth is not None else {}}
    artifacts.save("policy_value", {}, facts)


def load_value(artifacts: Artifacts) -> str:
    """What the challenger would have earned, newest, in words."""
    return str(artifacts.facts("policy_value")["told"])


def policy_text(worth: PolicyValue | None) -> str:
    """The estimates with their intervals, in one line."""
    if worth is None:
        return NOTHING
    return (
        f"shown {worth.logged}; challenger by IPS {worth.ips}, SNIPS {worth.snips}, "
        f"doubly robust {worth.doubly_robust}; {worth.impressions:,} impressions of {worth.users:,} people, "
        f"support {worth.support:.2f}"
    )
