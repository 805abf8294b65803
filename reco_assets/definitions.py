"""Everything in the code location, on one screen."""

import dagster as dg
from dagster_mlflow import end_mlflow_on_run_finished

from reco_assets.candidates import assets as candidates
from reco_assets.catalogue import assets as catalogue
from reco_assets.catalogue.sensors import catalogue_changes, changes_sensor
from reco_assets.events import assets as events
from reco_assets.experiments import assets as experiments
from reco_assets.experiments.sensors import experiment_guard, experiment_sensor
from reco_assets.features import assets as features
from reco_assets.interactions import assets as interactions
from reco_assets.online import assets as online
from reco_assets.platform.resources import Buckets, MlflowRuns, Platform
from reco_assets.ranking import assets as ranking
from reco_assets.ranking import release
from reco_assets.streaming.sensors import microbatches, stream_lag, stream_sensor

everything = dg.define_asset_job(
    "everything",
    selection=dg.AssetSelection.all(),
    executor_def=dg.in_process_executor,
    hooks={end_mlflow_on_run_finished},
    description="From raw events to the online store: one run over a day or a range of days.",
)

retrain = dg.build_schedule_from_partitioned_job(
    everything,
    name="daily_retraining",
    hour_of_day=2,
    description="At 02:00 UTC: yesterday's tables, a new challenger, the gate, the online store.",
)

defs = dg.Definitions(
    assets=dg.load_assets_from_modules(
        [events, catalogue, interactions, features, candidates, ranking, release, online, experiments]
    ),
    asset_checks=[stream_lag],
    jobs=[everything, microbatches, catalogue_changes, experiment_guard],
    schedules=[retrain],
    sensors=[stream_sensor, changes_sensor, experiment_sensor],
    resources={"platform": Platform(), "mlflow": MlflowRuns(), "s3": Buckets()},
    executor=dg.in_process_executor,
)
