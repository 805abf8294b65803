"""Silver: one row per real event; the log that all is learned from; and what came of each answer."""

from typing import cast

import dagster as dg
import numpy as np
import polars as pl

from reco_assets.catalogue.items import ItemTable
from reco_assets.events.contract import FIELDS
from reco_assets.interactions.attribution import WINDOWS
from reco_assets.interactions.history import ShopHistory, load_history
from reco_assets.interactions.log import InteractionLog
from reco_assets.interactions.outcomes import (
    ATTRIBUTIONS,
    IMPRESSIONS,
    OPEN,
    build_attributions,
    build_impressions,
)
from reco_assets.interactions.pipeline import INTERACTIONS, build_interactions
from reco_assets.monitoring.checks import results, specs
from reco_assets.monitoring.findings import covered, has_rows, in_range, no_nulls, unique
from reco_assets.monitoring.metadata import add_daily_metadata, table_metadata
from reco_assets.monitoring.plots import daily_bars, metric_bars
from reco_assets.platform.resources import DAILY, ONE_RUN, Platform, days_of

#: Columns that silver adds to the contract's.
_ADDED = {"category": "Category path of the product at the time of the event."}


@dg.asset(
    group_name="interactions",
    deps=["raw_events", "raw_decisions", "products", "orders"],
    partitions_def=DAILY,
    backfill_policy=ONE_RUN,
    kinds={"ibis", "delta"},
    owners=["team:data"],
    check_specs=specs("interactions", "no_nulls", "unique", "in_range", "covered", advisory=["volume"]),
)
def interactions(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """One row per real event of the day, recomputed from raw/events; duplicates are dropped.

    A purchase whose order line the shop's database has cancelled, returned or deleted is left out.
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


@dg.asset(
    group_name="interactions",
    deps=["interactions"],
    partitions_def=DAILY,
    backfill_policy=ONE_RUN,
    kinds={"ibis", "delta"},
    owners=["team:data"],
    check_specs=specs("attributions", "no_nulls", "unique", "covered", "in_range"),
)
def attributions(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """Clicks, carts and purchases of the day, each with the one answer that led to it, if one did.

    Where the impressions of a day were made anew, the seven days after it are to be run as well.
    """
    first, last = days_of(context)
    lake = platform.lake()
    with platform.engine() as engine:
        written = build_attributions(engine, first, last)
    frame = lake.scan(ATTRIBUTIONS).filter(pl.col("event_date").is_between(first, last))
    counts = frame.group_by("event_date").len().sort("event_date").collect()
    events = lake.scan(INTERACTIONS).filter(pl.col("event_date").is_between(first, last))
    attributable = events.filter(pl.col("event_type").is_in(list(WINDOWS)))
    total = int(attributable.select(pl.len()).collect().item())
    add_daily_metadata(
        context,
        dict(counts.iter_rows()),
        table_metadata(frame.head(200_000).collect(), version=written.version, rows=lake.rows(ATTRIBUTIONS)),
    )
    shown = lake.scan(INTERACTIONS).filter(
        pl.col("event_date").is_between(first - OPEN, last), pl.col("event_type") == "impression"
    )
    return dg.MaterializeResult(
        metadata={
            "written rows": written.rows,
            "delta_version": written.version,
            "share of clicks, carts and purchases": written.rows / max(1, total),
        },
        check_results=results(
            "attributions",
            no_nulls(frame, ["event_id", "user_id", "product_id", "recommendation_id", "shown_at", "how"]),
            unique(frame, ["event_id", "event_date"]),
            covered(frame.with_columns(impression=_impression()), "impression", shown, "event_id", least=1.0),
            in_range(frame.with_columns(share_of_window=_share_of_window()), {"share_of_window": (0.0, 1.0)}),
        ),
    )


@dg.asset(
    group_name="interactions",
    deps=["attributions", "interactions", "raw_decisions"],
    partitions_def=DAILY,
    backfill_policy=ONE_RUN,
    kinds={"ibis", "delta"},
    owners=["team:ml"],
    check_specs=specs("impressions", "no_nulls", "unique"),
)
def impressions(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
    """Products that the service showed on the day, each with what came of it: rows to learn from.

    What was bought today may have been shown a week ago, so the seven days before are made anew too;
    the outcomes of a day are final when the seventh day after it has been run.
    """
    first, last = days_of(context)
    lake = platform.lake()
    with platform.engine() as engine:
        written = build_impressions(engine, first - OPEN, last)
    frame = lake.scan(IMPRESSIONS).filter(pl.col("event_date").is_between(first - OPEN, last))
    counts = frame.group_by("event_date").len().sort("event_date").collect()
    rates = ("clicked", "carted", "purchased")
    by_place = frame.group_by("position").agg(pl.col(rates).mean()).sort("position").head(20).collect()
    pictures = (
        {
            "by_position": metric_bars(
                "Share of the products shown, by place in the answer",
                {
                    rate: {
                        str(place): share for place, share in by_place.select("position", rate).iter_rows()
                    }
                    for rate in rates
                },
            )
        }
        if by_place.height
        else {}
    )
    add_daily_metadata(
        context,
        dict(counts.iter_rows()),
        table_metadata(
            frame.head(200_000).collect(),
            version=written.version,
            rows=lake.rows(IMPRESSIONS),
            pictures=pictures,
        ),
    )
    overall = frame.select(pl.col(rates).mean().fill_null(0.0)).collect().row(0, named=True)
    return dg.MaterializeResult(
        metadata={
            "written rows": written.rows,
            "delta_version": written.version,
            "made anew from": str(first - OPEN),
            **{f"share {rate}": share for rate, share in overall.items()},
        },
        check_results=results(
            "impressions",
            no_nulls(frame, ["recommendation_id", "user_id", "product_id", "shown_at", *rates]),
            unique(frame, ["recommendation_id", "position"]),
        ),
    )


def _impression() -> pl.Expr:
    """Id of the event that is the impression of an attribution."""
    return pl.format("{}:{}", "recommendation_id", "position")


def _share_of_window() -> pl.Expr:
    """How much of the window of its kind an attributed event has used up; 1 is all of it."""
    seconds = {kind: window.total_seconds() for kind, window in WINDOWS.items()}
    return pl.col("seconds_after") / pl.col("event_type").replace_strict(seconds, return_dtype=pl.Float64)


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
