"""Raw: events as they were delivered, and those that broke the contract."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from reco_assets.errors import MissingDependency
from reco_assets.events.contract import FIELDS, QUARANTINE_SCHEMA, RAW_SCHEMA
from reco_assets.events.decided import STREAM
from reco_assets.events.decision_rows import DECISIONS, DECISIONS_SCHEMA, LATER_COLUMNS
from reco_assets.events.decisions import (
    DrainedDecisions,
    decisions_stream,
    drain_all_decisions,
    ensure_tables,
)
from reco_assets.events.landing import import_landing
from reco_assets.events.s3 import bring_landing
from reco_assets.monitoring.checks import results, specs
from reco_assets.monitoring.findings import Finding, has_rows, no_nulls, unique
from reco_assets.monitoring.metadata import table_metadata
from reco_assets.monitoring.plots import daily_bars
from reco_assets.platform.lake import Lake
from reco_assets.platform.redis import redis_runs
from reco_assets.platform.resources import Buckets, Platform
from reco_assets.platform.settings import Settings

#: A larger share of bad rows than this in one import deserves a look.
_BAD_SHARE = 0.05
#: Decision records that are brought in at once.
_MOST = 20_000


@dg.multi_asset(
    group_name="events",
    specs=[
        dg.AssetSpec(
            "raw_events",
            description="Events as delivered: the bytes, the position, and what the contract read in them. "
            "Append only; each delivery is committed exactly once.",
            kinds={"polars", "delta"},
            owners=["team:data"],
            skippable=False,
        ),
        dg.AssetSpec(
            "raw_quarantine",
            description="Rows that broke the contract, with every reason. They can be replayed after a fix.",
            kinds={"polars", "delta"},
            owners=["team:data"],
        ),
    ],
    check_specs=[
        *specs("raw_events", "volume", "no_nulls"),
        *specs("raw_quarantine", advisory=["bad_share"]),
    ],
)
def deliveries(
    context: dg.AssetExecutionContext, platform: Platform, s3: Buckets
) -> Iterator[dg.MaterializeResult]:
    """Import what has landed, here or in the bucket; what is imported already changes nothing."""
    lake, settings = platform.lake(), platform.settings()
    brought = bring_landing(settings, s3.get_client)
    report = import_landing(lake, settings.landing_folder, platform.now())
    lake.ensure("raw/events", RAW_SCHEMA)
    lake.ensure("raw/quarantine", QUARANTINE_SCHEMA)
    events = lake.scan("raw/events")
    counts = events.group_by("event_date").len().sort("event_date").collect()
    rows = int(counts["len"].sum())
    required = [field.name for field in FIELDS if field.required]
    imported = {
        "files from S3": len(brought),
        "imported rows": report.rows,
        "imported accepted": report.accepted,
        "imported duplicates": report.duplicates,
        "imported quarantined": report.quarantined,
    }
    yield dg.MaterializeResult(
        asset_key="raw_events",
        metadata={
            **table_metadata(
                events.drop("payload").head(100_000).collect(),
                version=lake.version("raw/events"),
                rows=rows,
                descriptions={field.name: field.description for field in FIELDS},
                pictures={
                    "daily": daily_bars(
                        "Raw events a day", counts["event_date"].to_list(), counts["len"].to_list()
                    )
                },
            ),
            **imported,
        },
        check_results=results("raw_events", has_rows(events), no_nulls(events, required)),
    )
    bad = lake.scan("raw/quarantine")
    bad_rows = int(bad.select(pl.len()).collect().item())
    share = bad_rows / max(1, bad_rows + rows)
    yield dg.MaterializeResult(
        asset_key="raw_quarantine",
        metadata={
            **table_metadata(
                bad.drop("payload").head(100_000).collect(),
                version=lake.version("raw/quarantine"),
                rows=bad_rows,
            ),
            "reasons": dg.MetadataValue.json(_reasons(bad)),
        },
        check_results=results(
            "raw_quarantine",
            Finding(
                "bad_share",
                share <= _BAD_SHARE,
                f"{share:.2%} of all rows are in quarantine",
                False,
                {"rows": bad_rows},
            ),
        ),
    )


def _reasons(bad: pl.LazyFrame) -> dict[str, int]:
    counted = bad.select(pl.col("reasons").explode().value_counts(sort=True)).head(50).collect()
    return dict(counted.unnest("reasons").iter_rows())


@dg.asset(
    group_name="events",
    deps=["raw_events"],
    kinds={"polars", "delta"},
    owners=["team:serving"],
    check_specs=specs("raw_decisions", "no_nulls", "unique"),
)
def raw_decisions(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """What the service answered, and all that is needed to answer it again. Append only.

    Each product that was shown becomes an impression in raw/events.
    """
    lake = platform.lake()
    ensure_tables(lake)
    try:
        drained = _drain_decisions(lake, platform.settings())
    except MissingDependency as error:
        context.log.warning(f"the stream {STREAM} is left for the next run: {error}")
        drained = DrainedDecisions()
    decisions = lake.scan(DECISIONS).drop("record")
    counts = decisions.group_by("decided_date").len().sort("decided_date").collect()
    days, rows = counts["decided_date"].to_list(), counts["len"].to_list()
    rungs = decisions.group_by("rung").len().sort("rung").collect()
    return dg.MaterializeResult(
        metadata={
            **table_metadata(
                decisions.head(100_000).collect(),
                version=lake.version(DECISIONS),
                rows=sum(rows),
                pictures={"daily": daily_bars("Recommendations a day", days, rows)},
            ),
            "drained records": drained.records,
            "drained decisions": drained.decisions,
            "drained repeated": drained.repeated,
            "drained quarantined": drained.quarantined,
            "impressions made": drained.impressions,
            "lag records": drained.waiting,
            "rungs": dict(rungs.iter_rows()),
        },
        check_results=results(
            "raw_decisions",
            no_nulls(
                decisions,
                sorted(DECISIONS_SCHEMA.keys() - {"session_id", "record", *LATER_COLUMNS}),
            ),
            unique(decisions, ["recommendation_id"]),
        ),
    )


def _drain_decisions(lake: Lake, settings: Settings) -> DrainedDecisions:
    """Drain until the stream is empty; nothing where the embedded Redis of this home does not run."""
    if settings.redis_url is None and not redis_runs(settings):
        return DrainedDecisions()
    stream = decisions_stream(settings)
    try:
        return drain_all_decisions(lake, stream)
    finally:
        stream.close()
