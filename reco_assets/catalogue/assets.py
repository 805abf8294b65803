"""Silver: what was true of products and users, and when."""

from collections.abc import Iterator
from contextlib import closing

import dagster as dg
import polars as pl

from reco_assets.catalogue.changes.drain import drain_all_changes
from reco_assets.catalogue.changes.files import import_changes_landing
from reco_assets.catalogue.changes.purchases import withdrawn
from reco_assets.catalogue.changes.table import CHANGES_SCHEMA
from reco_assets.catalogue.changes.tables import tables_beside
from reco_assets.catalogue.history import order_history, product_history, user_history
from reco_assets.catalogue.ingest import ingest_landing
from reco_assets.catalogue.periods import faults
from reco_assets.events.contract import RAW_SCHEMA
from reco_assets.events.landing import CHANGES_FOLDER
from reco_assets.events.observations import CATALOGUE_SCHEMA, USERS_SCHEMA
from reco_assets.monitoring.checks import results, specs
from reco_assets.monitoring.findings import Finding, has_rows, in_range, no_nulls, unique
from reco_assets.monitoring.metadata import table_metadata
from reco_assets.platform.lake import Lake
from reco_assets.platform.resources import Platform
from reco_assets.platform.streams.open import open_stream

_RAW = {
    "raw/events": RAW_SCHEMA,
    "raw/catalogue": CATALOGUE_SCHEMA,
    "raw/users": USERS_SCHEMA,
    "raw/changes": CHANGES_SCHEMA,
}


@dg.multi_asset(
    group_name="catalogue",
    specs=[
        dg.AssetSpec(
            "raw_catalogue",
            deps=["raw_events"],
            description="What product files and event files said of products, as observed. Append only.",
            kinds={"polars", "delta"},
            owners=["team:data"],
        ),
        dg.AssetSpec(
            "raw_users",
            deps=["raw_events"],
            description="What user files said of users, as observed. Append only.",
            kinds={"polars", "delta"},
            owners=["team:data"],
        ),
    ],
)
def observations(context: dg.AssetExecutionContext, platform: Platform) -> Iterator[dg.MaterializeResult]:
    """Read the product and user files that have landed; a file is read once."""
    lake = platform.lake()
    ingest_landing(lake, platform.settings().landing_folder, platform.now())
    for name in ("raw/catalogue", "raw/users"):
        lake.ensure(name, _RAW[name])
        rows = lake.scan(name)
        yield dg.MaterializeResult(
            asset_key=name.replace("/", "_"),
            metadata=table_metadata(
                rows.head(100_000).collect(),
                version=lake.version(name),
                rows=int(rows.select(pl.len()).collect().item()),
            ),
        )


@dg.asset(
    group_name="catalogue",
    deps=["raw_events"],
    kinds={"polars", "delta"},
    owners=["team:data"],
    check_specs=specs("raw_changes", "no_nulls"),
)
def raw_changes(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """What the shop's database did to its products, users and orders, as its log told. Append only.

    Files that have landed, and the streams that RECO_CHANGES_STREAMS names, are brought in. Order lines
    become purchase events in raw/events on the way.
    """
    lake, now, settings = platform.lake(), platform.now(), platform.settings()
    report = import_changes_landing(lake, settings.landing_folder, now)
    for name in settings.changes_streams:
        with closing(open_stream(settings, name)) as stream:
            tables = tables_beside(settings.landing_folder / CHANGES_FOLDER / name)
            report += drain_all_changes(lake, stream, platform.now, tables=tables)
    lake.ensure("raw/changes", CHANGES_SCHEMA)
    rows = lake.scan("raw/changes").drop("payload")
    deletes = (pl.col("op") == "d").sum()
    total, deleted, newest = rows.select(pl.len(), deletes, pl.col("source_ts").max()).collect().row(0)
    lag = {"lag of the newest change, s": (now - newest).total_seconds()} if newest else {}
    return dg.MaterializeResult(
        metadata={
            **table_metadata(rows.head(100_000).collect(), version=lake.version("raw/changes"), rows=total),
            **lag,
            "deletes": deleted or 0,
            "imported messages": report.messages,
            "imported changes": report.changes,
            "imported quarantined": report.quarantined,
            "purchases made": report.purchases,
            "lines that are no purchase": dict(report.refused),
            "unknown tables": dict(report.unknown),
        },
        check_results=results(
            "raw_changes",
            no_nulls(rows, ["entity", "source_table", "key", "op", "log", "log_position", "source_ts"]),
        ),
    )


@dg.asset(
    group_name="catalogue",
    deps=["raw_changes"],
    kinds={"polars", "delta"},
    owners=["team:data"],
    check_specs=specs("orders", "no_nulls", "unique", "periods"),
)
def orders(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """Order lines with their history; event_id names the purchase that a line made in raw/events.

    A line whose last row has ended was deleted; the state of the others says whether they still count.
    """
    lake = platform.lake()
    rows = order_history(lake.scan("raw/changes"))
    version = lake.replace("silver/orders", rows.to_arrow())
    frame = rows.lazy()
    current = rows.filter(pl.col("valid_to").is_null())
    return dg.MaterializeResult(
        metadata={
            **table_metadata(rows, version=version),
            "lines": current.height,
            "cancelled": current.filter(withdrawn()).height,
            "deleted": rows["event_id"].n_unique() - current.height,
        },
        check_results=results(
            "orders",
            no_nulls(frame, ["event_id", "valid_from"]),
            unique(frame, ["event_id", "valid_from"]),
            _periods(rows, "event_id"),
        ),
    )


@dg.asset(
    group_name="catalogue",
    deps=["raw_events", "raw_catalogue", "raw_changes"],
    kinds={"polars", "delta"},
    owners=["team:data"],
    check_specs=specs("products", "volume", "no_nulls", "unique", "in_range", "periods"),
)
def products(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """Products with their history: one row a change; a product only seen in events has a row too.

    A product that the shop's database deleted has no row from then on.
    """
    lake = _with_raw_tables(platform)
    seen = (
        lake.scan("raw/events")
        .filter(pl.col("product_id").is_not_null())
        .group_by("product_id")
        .agg(first_seen=pl.col("timestamp").min())
    )
    rows = product_history(lake.scan("raw/catalogue"), seen, lake.scan("raw/changes"))
    version = lake.replace("silver/products", rows.to_arrow())
    frame = rows.lazy()
    current = rows.filter(pl.col("valid_to").is_null())
    return dg.MaterializeResult(
        metadata={
            **table_metadata(rows, version=version),
            "products": current.height,
            "deleted": rows["product_id"].n_unique() - current.height,
            "with a category": f"{1 - current['category'].null_count() / max(1, current.height):.1%}",
        },
        check_results=results(
            "products",
            has_rows(frame),
            no_nulls(frame, ["product_id", "valid_from"]),
            unique(frame, ["product_id", "valid_from"]),
            in_range(frame, {"price": (0.0, 1e9)}),
            _periods(rows, "product_id"),
        ),
    )


@dg.asset(
    group_name="catalogue",
    deps=["raw_events", "raw_users", "raw_changes"],
    kinds={"polars", "delta"},
    owners=["team:data"],
    check_specs=specs("users", "no_nulls", "unique", "periods"),
)
def users(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """User profiles with their history, where the shop told any."""
    lake = _with_raw_tables(platform)
    seen = lake.scan("raw/events").group_by("user_id").agg(first_seen=pl.col("timestamp").min())
    rows = user_history(lake.scan("raw/users"), seen, lake.scan("raw/changes"))
    version = lake.replace("silver/users", rows.to_arrow())
    frame = rows.lazy()
    return dg.MaterializeResult(
        metadata=table_metadata(rows, version=version),
        check_results=results(
            "users",
            no_nulls(frame, ["user_id", "valid_from"]),
            unique(frame, ["user_id", "valid_from"]),
            _periods(rows, "user_id"),
        ),
    )


def _with_raw_tables(platform: Platform) -> Lake:
    """The lake; a shop that has told of one thing only has empty tables of the others."""
    lake = platform.lake()
    for name, schema in _RAW.items():
        lake.ensure(name, schema)
    return lake


def _periods(history: pl.DataFrame, key: str) -> Finding:
    """Each thing has one row at any moment, and one without an end at most."""
    found = faults(history, key)
    return Finding("periods", not any(found.values()), f"rows that break a rule: {found}", True, found)
