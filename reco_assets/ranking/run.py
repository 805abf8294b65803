"""The MLflow run of a retraining: parameters, metrics, pictures, the model with its signature."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

import mlflow
import pandas as pd
from mlflow.models import infer_signature
from PIL import Image

from reco_assets.features.catalogue import RANKING_FEATURES, names
from reco_assets.monitoring.plots import metric_bars
from reco_assets.platform.registry import Registry
from reco_assets.ranking.evaluation import FULL
from reco_assets.ranking.examples import Examples
from reco_assets.ranking.lambdamart import RankerParameters
from reco_assets.ranking.outcome import Means, policy_text
from reco_assets.ranking.policy_value import PolicyValue
from reco_assets.ranking.training import Choice

EXPERIMENT = "reco-ranking"


def log_choice(
    registry: Registry,
    choice: Choice,
    parameters: RankerParameters,
    rows: Examples,
    dagster_run: str,
    pictures: Mapping[str, bytes],
) -> str:
    """Record a training with its ``pictures`` (PNG, by name) in a run of its own; the run's id."""
    experiment = registry.experiment(EXPERIMENT)
    mlflow.set_tracking_uri(registry.settings.mlflow_tracking_uri)
    with mlflow.start_run(experiment_id=experiment, tags={"dagster_run_id": dagster_run}) as run:
        mlflow.log_params(parameters.as_params())
        mlflow.log_params({"ranks_by": choice.name, "rows": len(rows), "features": len(RANKING_FEATURES)})
        _log_means("validation", choice.validation.means())
        if choice.trained is not None:
            mlflow.log_metrics(
                {
                    "validation_ndcg_at_10": choice.trained.validation_ndcg,
                    "trees": choice.trained.trees,
                }
            )
            example = pd.DataFrame(rows.features[:100], columns=list(names(RANKING_FEATURES)))
            mlflow.xgboost.log_model(
                choice.trained.ranker.booster,
                name="ranker",
                signature=infer_signature(example, choice.trained.ranker.score(rows.features[:100])),
                model_format="ubj",
                pip_requirements=[],
            )
        _log_pictures(pictures)
    return str(run.info.run_id)


def log_evaluation(
    registry: Registry, run_id: str, means: Means, worth: PolicyValue | None, pictures: Mapping[str, bytes]
) -> None:
    """Add what the held-out day said to the training's run, and what its logged answers did."""
    mlflow.set_tracking_uri(registry.settings.mlflow_tracking_uri)
    with mlflow.start_run(run_id=run_id):
        _log_means("test", means)
        _log_pictures(pictures)
        mlflow.set_tag("policy_value", policy_text(worth))
        if worth is not None:
            mlflow.log_metrics({f"policy_value.{name}": value for name, value in worth.metrics().items()})


def _log_means(part: str, means: Means) -> None:
    mlflow.log_metrics(
        {
            f"{part}.{name}.{metric.replace('@', '_at_')}": value
            for name, values in means.items()
            for metric, value in values.items()
        }
    )


def means_bars(title: str, means: Means) -> bytes:
    """The recommenders side by side, PNG."""
    shown = {
        metric: {name: values[metric] for name, values in means.items()}
        for metric in ("ndcg@20", "recall@20")
    }
    return metric_bars(title, shown, best=FULL)


def _log_pictures(pictures: Mapping[str, bytes]) -> None:
    for name, png in pictures.items():
        mlflow.log_image(Image.open(BytesIO(png)), f"{name}.png")
