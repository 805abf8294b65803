"""The daily retraining: training examples, the ranker, its evaluation."""

from dataclasses import replace
from pathlib import Path

import dagster as dg
import polars as pl

from reco_assets.errors import BadInput, IncompatibleBundle
from reco_assets.features.catalogue import RANKING_FEATURES
from reco_assets.interactions.assets import load_learning_log
from reco_assets.monitoring.checks import results, specs
from reco_assets.monitoring.findings import Finding, has_rows, no_nulls
from reco_assets.monitoring.metadata import table_metadata
from reco_assets.monitoring.plots import importance_bars, markdown_image, metric_bars
from reco_assets.platform.resources import Platform
from reco_assets.ranking.evaluation import FULL, evaluate
from reco_assets.ranking.examples import replayed
from reco_assets.ranking.examples_table import examples_of, examples_table
from reco_assets.ranking.lambdamart import RankerParameters, train_ranker
from reco_assets.ranking.metrics import METRICS
from reco_assets.ranking.outcome import load_choice, policy_text, save_choice, save_means, save_value
from reco_assets.ranking.parameters import read_parameters
from reco_assets.ranking.run import log_choice, log_evaluation
from reco_assets.ranking.split import split_time
from reco_assets.ranking.stage import stage
from reco_assets.ranking.told import Stretch
from reco_assets.ranking.training import (
    LEARNING,
    TrainingBudget,
    champion_answers,
    choose_ranking,
    past_bundle,
)
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.types import Policy

_FEATURES = {feature.name: feature.description for feature in RANKING_FEATURES}
#: What the windowed features at past moments are read from.
_TILES = [
    "user_windows",
    "user_category_windows",
    "product_windows",
    "user_days",
    "user_category_days",
    "product_days",
]


class RankingConfig(dg.Config):
    """What a retraining may be told from the launchpad."""

    train_decisions: int = TrainingBudget.train_decisions
    judge_decisions: int = TrainingBudget.judge_decisions
    rounds: int | None = None
    max_depth: int | None = None
    learning_rate: float | None = None

    def budget(self) -> TrainingBudget:
        """As the training steps take it."""
        return TrainingBudget(self.train_decisions, self.judge_decisions)

    def parameters(self, path: Path) -> RankerParameters:
        """Those of the file at ``path``, but for what the launchpad says."""
        said = {"rounds": self.rounds, "max_depth": self.max_depth, "learning_rate": self.learning_rate}
        changed = {name: value for name, value in said.items() if value is not None}
        return replace(read_parameters(path), **changed)  # type: ignore[arg-type]


@dg.asset(
    group_name="ranking",
    deps=["learning_log", "attributions", "impressions", *_TILES],
    kinds={"numpy", "delta"},
    owners=["team:ml"],
    check_specs=specs("training_examples", "no_nulls", advisory=["volume"]),
)
def training_examples(
    context: dg.AssetExecutionContext, config: RankingConfig, platform: Platform
) -> dg.MaterializeResult:
    """What would have been shown at past moments, labelled by what happened then.

    Candidates come from sources that knew only what was before, features are as of the moment.
    """
    history, _ = load_learning_log(platform)
    split = split_time(history.log.time)
    lake, artifacts, budget = platform.lake(), platform.artifacts(), config.budget()
    bundle = past_bundle(history, split.train_from, context.log.info)
    folder = artifacts.new("past_bundle")
    bundle.save(folder)
    artifacts.publish(folder)
    training = budget.training(history.log, split)
    validation = budget.judging(history.log, split.validate_from, split.test_from)
    with platform.engine() as engine:
        learned = stage(
            engine, lake, history, bundle, training, split.train_from, split.validate_from, budget.objective
        )
        held = stage(
            engine, lake, history, bundle, validation, split.validate_from, split.test_from, budget.objective
        )
        logged = Stretch(
            engine, lake, history, bundle, split.train_from, split.validate_from, budget, LEARNING
        )
        told = logged.feedback()
    threads = platform.settings().threads
    rows = replayed(learned, LEARNING, budget.negatives_of(training), budget.seed, threads)
    own = len(rows)
    if told is not None:
        rows = rows.and_then(told)
    judged = replayed(held, LEARNING, LEARNING.candidates, budget.seed, threads)
    table = pl.concat([examples_table(rows, history, "train"), examples_table(judged, history, "validation")])
    version = lake.replace("gold/training_examples", table.to_arrow())
    volume = has_rows(table.lazy())
    return dg.MaterializeResult(
        metadata={
            **table_metadata(table, version=version, descriptions=_FEATURES),
            "decisions": len(training) + len(validation),
            "rows of logged answers": len(rows) - own,
            "positives": int((table["grade"] > 0).sum()),
        },
        check_results=results(
            "training_examples",
            no_nulls(table.lazy(), ["user_id", "product_id", "decided_at", "grade"]),
            Finding("volume", volume.passed, volume.description, False, volume.facts),
        ),
    )


@dg.asset(
    group_name="ranking",
    deps=["training_examples"],
    kinds={"xgboost", "mlflow"},
    owners=["team:ml"],
)
def ranker(
    context: dg.AssetExecutionContext, config: RankingConfig, platform: Platform
) -> dg.MaterializeResult:
    """LambdaMART over the candidates, or a blend of sources where that did better on the validation day.

    One MLflow run holds parameters, metrics, feature importance, the model and its signature.
    """
    history, _ = load_learning_log(platform)
    split = split_time(history.log.time)
    lake, artifacts, budget = platform.lake(), platform.artifacts(), config.budget()
    table = lake.scan("gold/training_examples")
    rows, held = examples_of(table, "train"), examples_of(table, "validation")
    parameters = config.parameters(platform.settings().ranker_file)
    try:
        trained = train_ranker(rows, held, parameters, platform.settings().threads)
    except BadInput as error:
        context.log.warning(str(error))
        trained = None
    bundle = Bundle.load(artifacts.latest("past_bundle"))
    validation = budget.judging(history.log, split.validate_from, split.test_from)
    with platform.engine() as engine:
        held_stage = stage(
            engine, lake, history, bundle, validation, split.validate_from, split.test_from, budget.objective
        )
    choice = choose_ranking(trained, held_stage, Policy(), platform.settings().threads)
    run_id = log_choice(platform.registry(), choice, parameters, rows, context.run_id)
    save_choice(artifacts, choice, run_id)
    means = choice.validation.means()
    metadata: dict[str, dg.MetadataValue] = {
        "ranks_by": dg.MetadataValue.text(choice.name),
        "mlflow_run": dg.MetadataValue.text(run_id),
    }
    if means:
        metadata["validation"] = _bars("Validation day", means)
    if trained is not None:
        metadata["trees"] = dg.MetadataValue.int(trained.trees)
        metadata["importance"] = dg.MetadataValue.md(
            markdown_image(importance_bars("Feature importance", trained.importance), "importance")
        )
    return dg.MaterializeResult(metadata=metadata)


@dg.asset(
    group_name="ranking",
    deps=["ranker", "learning_log", "attributions", "impressions", *_TILES],
    kinds={"numpy", "mlflow"},
    owners=["team:ml"],
)
def evaluation(
    context: dg.AssetExecutionContext, config: RankingConfig, platform: Platform
) -> dg.MaterializeResult:
    """The full recommender, every single source, popularity and today's champion on the held-out day."""
    history, _ = load_learning_log(platform)
    split = split_time(history.log.time)
    lake, artifacts = platform.lake(), platform.artifacts()
    choice = load_choice(artifacts)
    past = past_bundle(history, split.test_from, context.log.info)
    bundle = choice.applied_to(past)
    budget, threads = config.budget(), platform.settings().threads
    decisions = budget.judging(history.log, split.test_from, split.end)
    champion = _comparable(context, platform)
    fair = champion is not None and champion.manifest.as_of <= split.test_from
    with platform.engine() as engine:
        judged = stage(engine, lake, history, bundle, decisions, split.test_from, split.end, budget.objective)
        rival = (
            champion_answers(
                engine,
                lake,
                history,
                champion,
                decisions,
                split.test_from,
                split.end,
                budget.objective,
                threads,
            )
            if champion is not None and fair
            else None
        )
        logged = Stretch(engine, lake, history, bundle, split.test_from, split.end, budget, bundle.policy)
        worth = logged.value()
    board = evaluate(judged, Policy(), threads, {} if rival is None else {"champion": rival})
    means = board.means()
    save_means(artifacts, means, board.decisions, split)
    save_value(artifacts, worth)
    log_evaluation(platform.registry(), choice.run_id, means, worth)
    if champion is not None and not fair:
        context.log.info("today's champion has seen the held-out day; it is not compared")
    return dg.MaterializeResult(
        metadata={
            "decisions": board.decisions,
            "clicks per impression": policy_text(worth),
            **({f"full {metric}": round(means[FULL][metric], 4) for metric in METRICS} if means else {}),
            **({"comparison": _bars("Held-out day", means)} if means else {}),
        }
    )


def _comparable(context: dg.AssetExecutionContext, platform: Platform) -> Bundle | None:
    """Today's champion; None where there is none, or where it was made by another version of the code."""
    current = platform.registry().champion()
    try:
        return Bundle.load(current.folder) if current is not None else None
    except IncompatibleBundle as error:
        context.log.warning("today's champion is not compared: %s", error)
        return None


def _bars(title: str, means: dict[str, dict[str, float]]) -> dg.MetadataValue:
    shown = {
        metric: {name: values[metric] for name, values in means.items()}
        for metric in ("ndcg@20", "recall@20")
    }
    return dg.MetadataValue.md(markdown_image(metric_bars(title, shown, best=FULL), title))
