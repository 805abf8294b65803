"""Silver: one row per real event; and the log of them that everything is learned from."""

from typing import cast

import dagster as dg
import numpy as np
import polars as pl

from reco_assets.catalogue.items import ItemTable
from reco_assets.events.contract import FIELDS
from reco_assets.interactions.history import ShopHistory, load_history
from reco_assets.interactions.log import InteractionLog
from reco_assets.interactions.pipeline import build_interactions
from reco_assets.monitoring.checks import results, specs
from reco_assets.monitoring.findings import covered, has_rows, in_range, no_nulls, unique
from reco_assets.monitoring.metadata import add_daily_metadata, table_metadata
from reco_assets.monitoring.plots import daily_bars
from reco_assets.platform.resources import DAILY, ONE_RUN, Platform, days_of

#: Columns that silver adds to the contract's.
_ADDED = {
    "category": "Category path of the product at the time of the event.",
    "event_date": "Day of the event, UTC.",
}


@dg.asset(
    group_name="interactions",
    deps=["raw_events", "products"],
    partitions_def=DAILY,
    backfill_policy=ONE_RUN,
    kinds={"ibis", "delta"},
    owners=["team:data"],
    check_specs=specs("interactions", "no_nulls", "unique", "in_range", "covered", advisory=["volume"]),
)
def interactions(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """One row per real event of the day, recomputed from raw/events; duplicates are dropped.

    Of several deliveries of one event the same one wins, whatever order they arrived in.
    """
    first, last = days_of(context)
    lake = platform.lake()
    with platform.engine() as engine:
        written = build_interactions(engine, first, last)
    frame = lake.scan("silver/interactions").filter(pl.col("event_date").is_between(first, last))
    counts = frame.group_by("event_date").len().sort("event_date").collect()
    products = lake.scan("silver/products")
    days, rows = counts["event_date"].to_list(), counts["len"].to_list()
    add_daily_metadata(
        context,
        dict(zip(days, rows, strict=True)),
        table_metadata(
            frame.head(200_000).collect(),
            version=written.version,
            rows=lake.rows("silver/interactions"),
            descriptions={field.name: field.description for field in FIELDS} | _ADDED,
            pictures={"daily": daily_bars("Interactions a day", days, rows)},
        ),
    )
    return dg.MaterializeResult(
        metadata={"written rows": written.rows, "delta_version": written.version},
        check_results=results(
            "interactions",
            no_nulls(frame, ["event_id", "user_id", "event_type", "timestamp"]),
            unique(frame, ["event_id"]),
            in_range(frame, {"price": (0.0, 1e9), "quantity": (1, 1e7), "rating": (0, 5)}),
            covered(frame, "product_id", products, "product_id", least=0.999),
            has_rows(frame),
        ),
    )


@dg.asset(
    group_name="interactions",
    deps=["interactions", "products"],
    kinds={"polars", "numpy"},
    owners=["team:ml"],
)
def learning_log(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """The item table and all product events as dense arrays, read once for all that learns."""
    history = load_history(platform.lake())
    lake = platform.lake()
    log = history.log
    platform.artifacts().save(
        "learning_log",
        {
            **{f"items-{name}": values for name, values in history.items.arrays().items()},
            "user": log.user,
            "item": log.item,
            "kind": log.kind,
            "time": log.time,
            "user_ids": np.array(log.user_ids.to_list(), dtype=np.str_),
        },
        {
            "as_of": history.last + 1,
            "interactions_version": lake.version("silver/interactions"),
            "products_version": lake.version("silver/products"),
        },
    )
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(log),
            "products": len(history.items),
            "users": len(log.user_ids),
            "first": str(np.datetime64(history.first, "us")),
            "last": str(np.datetime64(history.last, "us")),
        }
    )


def load_learning_log(platform: Platform) -> tuple[ShopHistory, int]:
    """The newest learning log, and the moment (UTC microseconds) up to which it reaches."""
    arrays = platform.artifacts().load("learning_log")
    items = ItemTable.of_arrays(
        {name.removeprefix("items-"): values for name, values in arrays.items() if name.startswith("items-")}
    )
    log = InteractionLog(
        user=cast("np.ndarray[tuple[int], np.dtype[np.int32]]", arrays["user"]),
        item=cast("np.ndarray[tuple[int], np.dtype[np.int32]]", arrays["item"]),
        kind=cast("np.ndarray[tuple[int], np.dtype[np.int8]]", arrays["kind"]),
        time=cast("np.ndarray[tuple[int], np.dtype[np.int64]]", arrays["time"]),
        user_ids=pl.Series(arrays["user_ids"].tolist(), dtype=pl.String),
        n_items=len(items),
    )
    as_of = platform.artifacts().facts("learning_log")["as_of"]
    return ShopHistory(items, log), cast("int", as_of)
