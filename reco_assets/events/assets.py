"""Raw: events as they were delivered, and those that broke the contract."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from reco_assets.events.contract import FIELDS, QUARANTINE_SCHEMA, RAW_SCHEMA
from reco_assets.events.landing import import_landing
from reco_assets.events.s3 import bring_landing
from reco_assets.monitoring.checks import results, specs
from reco_assets.monitoring.findings import Finding, has_rows, no_nulls
from reco_assets.monitoring.metadata import table_metadata
from reco_assets.monitoring.plots import daily_bars
from reco_assets.platform.resources import Buckets, Platform

#: A larger share of bad rows than this in one import deserves a look.
_BAD_SHARE = 0.05


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
