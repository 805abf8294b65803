"""While an experiment runs, its results are made every few minutes: harm does not wait for the night."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from reco_assets.errors import RecoError
from reco_assets.experiments.look import LOOK_SECONDS
from reco_assets.experiments.store import Store
from reco_assets.platform.redis import connect
from reco_assets.platform.resources import Platform
from reco_assets.platform.sensors import under_way

experiment_guard = dg.define_asset_job(
    "experiment_guard",
    selection=dg.AssetSelection.assets("attributions", "impressions", "exposures", "experiment_results"),
    executor_def=dg.in_process_executor,
    description="Today's exposures and results; takes out variants that break a guardrail.",
)


@dg.sensor(
    job=experiment_guard,
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Every five minutes while an experiment runs and no look at it is under way.",
)
def experiment_sensor(
    context: dg.SensorEvaluationContext, platform: Platform
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """The tables above are kept up by the micro-batches; without these a look finds nothing new."""
    settings = platform.settings()
    try:
        with connect(settings) as client:
            running = Store.of(settings, client).read().running
    except RecoError as error:
        yield dg.SkipReason(str(error))
        return
    if not running:
        yield dg.SkipReason("no experiment runs")
        return
    if under_way(context, experiment_guard.name):
        yield dg.SkipReason("a run looks at them")
        return
    today = datetime.now(UTC).date().isoformat()
    names = ", ".join(one.name for one in running)
    yield dg.RunRequest(partition_key=today, tags={"reco/reason": f"experiments run: {names}"})
