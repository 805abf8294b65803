"""Silver: what was true of products and users, and when."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from reco_assets.catalogue.history import product_history, user_history
from reco_assets.catalogue.ingest import ingest_landing
from reco_assets.events.observations import CATALOGUE_SCHEMA, USERS_SCHEMA
from reco_assets.monitoring.checks import results, specs
from reco_assets.monitoring.findings import has_rows, in_range, no_nulls, unique
from reco_assets.monitoring.metadata import table_metadata
from reco_assets.platform.resources import Platform


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
    for name, schema in (("raw/catalogue", CATALOGUE_SCHEMA), ("raw/users", USERS_SCHEMA)):
        lake.ensure(name, schema)
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
    deps=["raw_events", "raw_catalogue"],
    kinds={"polars", "delta"},
    owners=["team:data"],
    check_specs=specs("products", "volume", "no_nulls", "unique", "in_range"),
)
def products(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """Products with their history: one row a change; a product only seen in events has a row too."""
    lake = platform.lake()
    seen = (
        lake.scan("raw/events")
        .filter(pl.col("product_id").is_not_null())
        .group_by("product_id")
        .agg(first_seen=pl.col("timestamp").min())
    )
    rows = product_history(lake.scan("raw/catalogue"), seen)
    version = lake.replace("silver/products", rows.to_arrow())
    frame = rows.lazy()
    current = rows.filter(pl.col("valid_to").is_null())
    return dg.MaterializeResult(
        metadata={
            **table_metadata(rows, version=version),
            "products": current.height,
            "with a category": f"{1 - current['category'].null_count() / max(1, current.height):.1%}",
        },
        check_results=results(
            "products",
            has_rows(frame),
            no_nulls(frame, ["product_id", "valid_from"]),
            unique(frame, ["product_id", "valid_from"]),
            in_range(frame, {"price": (0.0, 1e9)}),
        ),
    )


@dg.asset(
    group_name="catalogue",
    deps=["raw_events", "raw_users"],
    kinds={"polars", "delta"},
    owners=["team:data"],
    check_specs=specs("users", "no_nulls", "unique"),
)
def users(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """User profiles with their history, where the shop told any."""
    lake = platform.lake()
    seen = lake.scan("raw/events").group_by("user_id").agg(first_seen=pl.col("timestamp").min())
    rows = user_history(lake.scan("raw/users"), seen)
    version = lake.replace("silver/users", rows.to_arrow())
    frame = rows.lazy()
    return dg.MaterializeResult(
        metadata=table_metadata(rows, version=version),
        check_results=results(
            "users", no_nulls(frame, ["user_id", "valid_from"]), unique(frame, ["user_id", "valid_from"])
        ),
    )
