"""Gold: 5-minute tiles, their daily rollups, and the features made of them."""

import dagster as dg
import polars as pl

from reco_assets.features import pipeline
from reco_assets.features.catalogue import PRODUCT_FEATURES, USER_FEATURES, Feature
from reco_assets.features.described import features_described, sums_described
from reco_assets.monitoring.checks import results, specs
from reco_assets.monitoring.findings import Finding, has_rows, in_range, no_nulls, unique
from reco_assets.monitoring.metadata import add_daily_metadata, table_metadata
from reco_assets.monitoring.plots import daily_bars, histograms
from reco_assets.platform.resources import DAILY, ONE_RUN, Platform, days_of


def _daily_table(
    name: str,
    deps: list[str],
    key: list[str],
    description: str,
    features: tuple[Feature, ...] = (),
    ranges: dict[str, tuple[float, float]] | None = None,
) -> dg.AssetsDefinition:
    day = "as_of" if features else "event_date"
    described = features_described(features[0].entity) if features else sums_described()

    @dg.asset(
        name=name,
        group_name="features",
        deps=deps,
        partitions_def=DAILY,
        backfill_policy=ONE_RUN,
        description=description,
        kinds={"ibis", "delta"},
        owners=["team:data"],
        check_specs=specs(name, "no_nulls", "unique", *(["in_range"] if ranges else []), advisory=["volume"]),
    )
    def table(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
        first, last = days_of(context)
        lake = platform.lake()
        with platform.engine() as engine:
            written = pipeline.BUILDS[f"gold/{name}"](engine, first, last)
        frame = lake.scan(f"gold/{name}").filter(pl.col(day).is_between(first, last))
        counts = frame.group_by(day).len().sort(day).collect()
        sample = frame.head(200_000).collect()
        pictures = {
            "daily": daily_bars(f"{name}: rows a day", counts[day].to_list(), counts["len"].to_list())
        }
        if features:
            shown = {
                f.name: sample[f.name].cast(pl.Float64).fill_null(float("nan")).to_numpy() for f in features
            }
            pictures["distribution"] = histograms(f"{name}: distribution", shown)
        found: list[Finding] = [no_nulls(frame, key), unique(frame, key), has_rows(frame)]
        if ranges:
            found.append(in_range(frame, ranges))
        add_daily_metadata(
            context,
            dict(counts.iter_rows()),
            table_metadata(
                sample,
                version=written.version,
                rows=lake.rows(f"gold/{name}"),
                descriptions=described,
                pictures=pictures,
            ),
        )
        return dg.MaterializeResult(
            metadata={"written rows": written.rows, "delta_version": written.version},
            check_results=results(name, *(f if f.name != "volume" else advisory(f) for f in found)),
        )

    return table


def advisory(finding: Finding) -> Finding:
    """The same finding, which stops nothing."""
    return Finding(finding.name, finding.passed, finding.description, False, finding.facts)


user_windows = _daily_table(
    "user_windows", ["interactions"], ["user_id", "window_start"],
    "5-minute tiles of each user; additive, so that any horizon is a sum.",
)  # fmt: skip
user_category_windows = _daily_table(
    "user_category_windows", ["interactions"],
    ["user_id", "window_start", "category"],
    "5-minute tiles of each user and category.",
)  # fmt: skip
product_windows = _daily_table(
    "product_windows", ["interactions"], ["product_id", "window_start"],
    "5-minute tiles of each product.",
)  # fmt: skip
user_days = _daily_table(
    "user_days", ["user_windows"], ["user_id", "event_date"],
    "Daily rollup of the user tiles.",
)  # fmt: skip
user_category_days = _daily_table(
    "user_category_days", ["user_category_windows"],
    ["user_id", "event_date", "category"],
    "Daily rollup of the user and category tiles.",
)  # fmt: skip
product_days = _daily_table(
    "product_days", ["product_windows"], ["product_id", "event_date"],
    "Daily rollup of the product tiles.",
)  # fmt: skip
user_features = _daily_table(
    "user_features", ["user_days", "user_category_days"], ["user_id", "as_of"],
    "30-day features of each user whose value changed at the end of the day; "
    "the row that holds at a time is the last one before it.",
    USER_FEATURES,
    {"total_events": (0, 1e9), "purchase_rate": (0, 1e6), "avg_price_point": (0, 1e9)},
)  # fmt: skip
product_features = _daily_table(
    "product_features", ["product_days", "products"],
    ["product_id", "as_of"],
    "30-day features of each product whose value changed at the end of the day.",
    PRODUCT_FEATURES,
    {"popularity_score": (0, 100), "avg_rating": (0, 5), "conversion_rate": (0, 1e6)},
)  # fmt: skip
