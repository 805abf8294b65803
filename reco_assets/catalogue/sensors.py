"""A sensor that looks at the streams of a shop database's changes."""

from collections.abc import Iterator
from contextlib import closing

import dagster as dg

from reco_assets.catalogue.changes.drain import changes_waiting
from reco_assets.errors import RecoError
from reco_assets.platform.resources import Platform
from reco_assets.platform.sensors import under_way
from reco_assets.platform.streams.open import open_stream

#: Seconds between two looks. The histories are made of all changes each time, so a look costs more than
#: one at the events.
LOOK_SECONDS = 60

catalogue_changes = dg.define_asset_job(
    "catalogue_changes",
    selection=dg.AssetSelection.assets("raw_changes", "orders", "products", "users"),
    executor_def=dg.in_process_executor,
    description="From the changes of the shop's database to the histories of products, users and orders.",
)


@dg.sensor(
    job=catalogue_changes,
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts a run when changes of the shop's database wait in a stream, and none is active.",
)
def changes_sensor(
    context: dg.SensorEvaluationContext, platform: Platform
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """What the run has changed reaches the other tables and the online store with the next micro-batch."""
    settings, lake = platform.settings(), platform.lake()
    if not settings.changes_streams:
        yield dg.SkipReason("RECO_CHANGES_STREAMS names no stream")
        return
    if under_way(context, catalogue_changes.name):
        yield dg.SkipReason("a run brings changes in")
        return
    waiting = {}
    try:
        for name in settings.changes_streams:
            with closing(open_stream(settings, name)) as stream:
                waiting[name] = changes_waiting(lake, stream)
    except RecoError as error:
        yield dg.SkipReason(f"a stream of changes cannot be asked: {error}")
        return
    if any(waiting.values()):
        yield dg.RunRequest(tags={"reco/reason": f"changes wait: {waiting}"})
    else:
        yield dg.SkipReason("no changes wait")
