"""The daily retraining: training examples, the ranker, its evaluation."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import dagster as dg
import polars as pl

from reco_assets.errors import BadInput, IncompatibleBundle
from reco_assets.features.catalogue import RANKING_FEATURES
from reco_assets.interactions.assets import load_learning_log
from reco_assets.monitoring.checks import results, specs
from reco_assets.monitoring.findings import Finding, has_rows, no_nulls
from reco_assets.monitoring.metadata import table_metadata
from reco_assets.monitoring.plots import importance_bars, markdown_image
from reco_assets.platform.resources import Platform
from reco_assets.ranking.evaluation import FULL, evaluate
from reco_assets.ranking.examples import replayed
from reco_assets.ranking.examples_table import examples_of, examples_table
from reco_assets.ranking.lambdamart import RankerParameters, train_ranker
from reco_assets.ranking.metrics import METRICS
from reco_assets.ranking.outcome import load_choice, policy_text, save_choice, save_means, save_value
from reco_assets.ranking.parameters import read_parameters
from reco_assets.ranking.run import log_choice, log_evaluation, means_bars
from reco_assets.ranking.split import split_time
from reco_assets.ranking.stage import Setting
from reco_assets.ranking.told import Stretch
from reco_assets.ranking.training import (
    LEARNING,
    TrainingBudget,
    champion_answers,
    choose_ranking,
    past_bundle,
    proposed_policy,
)
from reco_assets.recommender.bundle import Bundle

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
    history, as_of = load_learning_log(platform)
    split = split_time(history.log.time)
    lake, artifacts, budget = platform.lake(), platform.artifacts(), config.budget()
    training = budget.training(history.log, split)
    validation = budget.judging(history.log, split.validate_from, split.test_from)
    with platform.engine() as engine, ThreadPoolExecutor(1) as beside:
        # the engine works on the features while the sources are fitted
        past = partial(Setting.of, engine, lake, history)
        to_learn = beside.submit(past, training, split.train_from, split.validate_from)
        to_hold = beside.submit(past, validation, split.validate_from, split.test_from)
        bundle = past_bundle(history, split.train_from, context.log.info)
        folder = artifacts.new("past_bundle")
        bundle.save(folder)
        artifacts.publish(folder)
        learned = to_learn.result().stage(history, bundle, budget.objective)
        held = to_hold.result().stage(history, bundle, budget.objective)
        logged = Stretch(
            engine,
            lake,
            history,
            bundle,
            split.train_from,
            split.validate_from,
            budget,
            platform.settings().policies_folder,
        )
        told = logged.feedback()
    artifacts.save("held_setting", to_hold.result().arrays(), {"as_of": as_of})
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
    history, as_of = load_learning_log(platform)
    lake, artifacts, budget = platform.lake(), platform.artifacts(), config.budget()
    if artifacts.facts("held_setting")["as_of"] != as_of:
        raise BadInput(
            "training the ranker: the learning log is newer than the training examples",
            hint="materialize training_examples first",
        )
    table = lake.scan("gold/training_examples")
    rows, held = examples_of(table, "train"), examples_of(table, "validation")
    parameters = config.parameters(platform.settings().ranker_file)
    try:
        trained = train_ranker(rows, held, parameters, platform.settings().threads)
    except BadInput as error:
        context.log.warning(str(error))
        trained = None
    bundle = Bundle.load(artifacts.latest("past_bundle"))
    judging = Setting.of_arrays(artifacts.load("held_setting")).stage(history, bundle, budget.objective)
    policy = proposed_policy(platform.settings())
    choice = choose_ranking(trained, judging, policy, platform.settings().threads)
    means = choice.validation.means()
    pictures = {"validation": means_bars("Validation day", means)} if means else {}
    if trained is not None:
        pictures["importance"] = importance_bars("Feature importance", trained.importance)
    run_id = log_choice(platform.registry(), choice, parameters, rows, context.run_id, pictures)
    save_choice(artifacts, choice, run_id)
    metadata: dict[str, dg.MetadataValue] = {
        "ranks_by": dg.MetadataValue.text(choice.name),
        "mlflow_run": dg.MetadataValue.text(run_id),
    }
    if trained is not None:
        metadata["trees"] = dg.MetadataValue.int(trained.trees)
    return dg.MaterializeResult(metadata=metadata | _shown(pictures))


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
    settings, budget = platform.settings(), config.budget()
    policy, threads = proposed_policy(settings), settings.threads
    decisions = budget.judging(history.log, split.test_from, split.end)
    champion = _comparable(context, platform)
    fair = champion is not None and champion.manifest.as_of <= split.test_from
    with platform.engine() as engine, ThreadPoolExecutor(1) as beside:
        setting = beside.submit(Setting.of, engine, lake, history, decisions, split.test_from, split.end)
        bundle = choice.applied_to(past_bundle(history, split.test_from, context.log.info, policy))
        judged = setting.result().stage(history, bundle, budget.objective)
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
        logged = Stretch(
            engine,
            lake,
            history,
            bundle,
            split.test_from,
            split.end,
            budget,
            settings.policies_folder,
        )
        worth = logged.value()
    board = evaluate(judged, policy, threads, {} if rival is None else {"champion": rival})
    means = board.means()
    save_means(artifacts, means, board.decisions, split)
    save_value(artifacts, worth)
    pictures = {"test": means_bars("Held-out day", means)} if means else {}
    log_evaluation(platform.registry(), choice.run_id, means, worth, pictures)
    if champion is not None and not fair:
        context.log.info("today's champion has seen the held-out day; it is not compared")
    return dg.MaterializeResult(
        metadata={
            "decisions": board.decisions,
            "clicks per impression": policy_text(worth),
            **({f"full {metric}": round(means[FULL][metric], 4) for metric in METRICS} if means else {}),
            **_shown(pictures),
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


def _shown(pictures: Mapping[str, bytes]) -> dict[str, dg.MetadataValue]:
    return {name: dg.MetadataValue.md(markdown_image(png, name)) for name, png in pictures.items()}
