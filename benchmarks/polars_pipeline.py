"""The tables of the pipeline written by hand for Polars' streaming engine: what ours is compared with.

One Parquet file a table and no lake, so it has less to do: no raw table, no commits, no partitions.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import polars as pl

from benchmarks.report import Stopwatch, log, peak_rss_mb

_DAY: Final = 86_400_000_000
_DAYS: Final = 30


def run_polars(shop: Path, out: Path) -> dict[str, float]:
    """Make every table of ``shop`` in ``out``: ``<table>_seconds``, ``<table>_rows``, ``peak_rss_mb``."""
    out.mkdir(parents=True, exist_ok=True)
    results: dict[str, float] = {}
    worked = time.process_time()

    def write(name: str, frame: pl.LazyFrame) -> pl.LazyFrame:
        path = out / f"{name}.parquet"
        with Stopwatch() as watch:
            frame.sink_parquet(path, compression="zstd", compression_level=1, engine="streaming")
        made = pl.scan_parquet(path)
        results[f"{name}_seconds"] = watch.seconds
        results[f"{name}_rows"] = float(made.select(pl.len()).collect().item())
        log(f"polars {name}: {watch.seconds:.2f} s")
        return made

    seen = write("interactions", _interactions(shop))
    user_windows = write("user_windows", _user_windows(seen))
    category_windows = write("user_category_windows", _category_windows(seen))
    product_windows = write("product_windows", _product_windows(seen))
    user_days = write("user_days", _rollup(user_windows, ["user_id"]))
    category_days = write("user_category_days", _rollup(category_windows, ["user_id", "category"]))
    product_days = write("product_days", _rollup(product_windows, ["product_id"]))
    write("user_features", _user_features(user_days, category_days))
    write("product_features", _product_features(product_days, pl.scan_parquet(shop / "products.parquet")))
    results |= {"peak_rss_mb": peak_rss_mb(), "cpu": time.process_time() - worked}
    return results


def _interactions(shop: Path) -> pl.LazyFrame:
    # No simulated product changes its category, so the interval join that ours makes is not needed.
    categories = pl.scan_parquet(shop / "products.parquet").select("product_id", "category").unique()
    raw = pl.scan_parquet(shop / "events" / "*.parquet")
    # `unique` over all columns takes four times as long, and 9 GB: hardly any id comes twice.
    hashed = raw.with_columns(hash=pl.col("event_id").hash())
    repeated = hashed.group_by("hash").len().filter(pl.col("len") > 1).select("hash")
    once = hashed.join(repeated, on="hash", how="anti")
    often = hashed.join(repeated, on="hash", how="semi").unique("event_id", keep="any")
    return (
        pl.concat([once, often])
        .drop("hash")
        .with_columns(event_date=pl.col("timestamp").dt.date())
        .join(categories, on="product_id", how="left")
    )


def _tiled(seen: pl.LazyFrame) -> pl.LazyFrame:
    return seen.with_columns(
        window_start=pl.col("timestamp").dt.truncate("5m"),
        money=(pl.col("price") * 10_000 + 0.5).floor().cast(pl.Int64),
        stars=(pl.col("rating") * 10_000 + 0.5).floor().cast(pl.Int64),
        units=pl.col("quantity").fill_null(1),
    )


def _count(kind: str) -> pl.Expr:
    return (pl.col("event_type") == kind).cast(pl.Int64).sum()


def _user_windows(seen: pl.LazyFrame) -> pl.LazyFrame:
    click, purchase = pl.col("event_type") == "click", pl.col("event_type") == "purchase"
    return (
        _tiled(seen.filter(pl.col("event_type") != "impression"))
        .group_by("user_id", "window_start", "event_date")
        .agg(
            events=pl.len().cast(pl.Int64),
            clicks=_count("click"),
            add_to_carts=_count("add_to_cart"),
            remove_from_carts=_count("remove_from_cart"),
            purchases=_count("purchase"),
            favorites=_count("favorite"),
            rates=_count("rate"),
            searches=_count("search"),
            price_sum=pl.when(click).then("money").sum(),
            price_count=(click & pl.col("money").is_not_null()).cast(pl.Int64).sum(),
            spend=pl.when(purchase).then(pl.col("money") * pl.col("units")).sum(),
            duration_sum=pl.col("duration_ms").sum(),
            duration_count=pl.col("duration_ms").is_not_null().cast(pl.Int64).sum(),
            first_event_time=pl.col("timestamp").min(),
            last_event_time=pl.col("timestamp").max(),
        )
    )


def _category_windows(seen: pl.LazyFrame) -> pl.LazyFrame:
    known = seen.filter((pl.col("event_type") != "impression") & pl.col("category").is_not_null())
    return (
        _tiled(known)
        .group_by("user_id", "window_start", "event_date", "category")
        .agg(events=pl.len().cast(pl.Int64))
    )


def _product_windows(seen: pl.LazyFrame) -> pl.LazyFrame:
    purchase, rate = pl.col("event_type") == "purchase", pl.col("event_type") == "rate"
    return (
        _tiled(seen.filter(pl.col("product_id").is_not_null()))
        .group_by("product_id", "window_start", "event_date")
        .agg(
            impressions=_count("impression"),
            clicks=_count("click"),
            add_to_carts=_count("add_to_cart"),
            remove_from_carts=_count("remove_from_cart"),
            purchases=_count("purchase"),
            favorites=_count("favorite"),
            quantity=pl.when(purchase).then("units").sum(),
            revenue=pl.when(purchase).then(pl.col("money") * pl.col("units")).sum(),
            rating_sum=pl.when(rate).then("stars").sum(),
            rating_count=(rate & pl.col("stars").is_not_null()).cast(pl.Int64).sum(),
        )
    )


def _rollup(windows: pl.LazyFrame, key: list[str]) -> pl.LazyFrame:
    names = windows.collect_schema().names()
    sums = [
        name
        for name in names
        if name not in (*key, "event_date", "window_start") and not name.endswith("_time")
    ]
    times = [pl.col("first_event_time").min(), pl.col("last_event_time").max()] if "clicks" in sums else []
    if "product_id" in key:
        times = []
    return windows.group_by(*key, "event_date").agg(*(pl.col(name).sum() for name in sums), *times)


def _last_day(days: pl.LazyFrame) -> pl.Expr:
    end: int = days.select(pl.col("event_date").max().cast(pl.Int32)).collect().item()
    return pl.lit(end + 1, pl.Int32)


def _changes(
    days: pl.LazyFrame,
    key: list[str],
    sums: list[str],
    leave: dict[int, list[pl.Expr]],
    others: pl.LazyFrame | None = None,
) -> pl.LazyFrame:
    """Running sums by ``key`` at each day's end on which something enters or leaves."""
    end = _last_day(days)
    at = pl.col("event_date").cast(pl.Int32) + 1
    parts = [days.select(*key, at.alias("at"), *sums)]
    for after, changes in leave.items():
        part = days.select(*key, (at + after).alias("at"), *changes).filter(pl.col("at") <= end)
        parts.append(part)
    if others is not None:
        parts.append(others)
    steps = pl.concat(parts, how="diagonal").group_by(*key, "at").agg(pl.col(name).sum() for name in sums)
    return steps.sort(*key, "at").with_columns(pl.col(name).cum_sum().over(key) for name in sums)


def _user_features(days: pl.LazyFrame, category_days: pl.LazyFrame) -> pl.LazyFrame:
    sums = ["events", "clicks", "add_to_carts", "purchases", "price_sum", "price_count", "duration_sum",
            "duration_count"]  # fmt: skip
    values = _changes(days, ["user_id"], sums, {_DAYS: [-pl.col(name) for name in sums]})
    at = pl.col("event_date").cast(pl.Int32) + 1
    met = days.select("user_id", at.alias("at"), "first_event_time", "last_event_time")
    times = (
        pl.concat([met, values.select("user_id", "at")], how="diagonal")
        .sort("user_id", "at")
        .rolling("at", period=f"{_DAYS}i", group_by="user_id")
        .agg(pl.col("first_event_time").min(), pl.col("last_event_time").max())
        .unique(["user_id", "at"])
    )
    names = category_days.select("category").unique().sort("category").with_row_index("code")
    coded = category_days.join(names, on="category")
    tastes = _changes(coded, ["user_id", "code"], ["events"], {_DAYS: [-pl.col("events")]})
    stretches = tastes.with_columns(
        until=pl.col("at").shift(-1).over(["user_id", "code"]).fill_null(2**30)
    ).filter(pl.col("events") > 0)
    best = (
        values.select("user_id", "at")
        .join(stretches.rename({"at": "since"}), on="user_id")
        .filter((pl.col("since") <= pl.col("at")) & (pl.col("at") < pl.col("until")))
        .group_by("user_id", "at")
        .agg(
            categories_viewed=pl.len().cast(pl.Int64),
            best=(pl.col("events") * 2**20 + (2**20 - 1 - pl.col("code").cast(pl.Int64))).max(),
        )
        .with_columns(code=(2**20 - 1 - pl.col("best") % 2**20).cast(pl.UInt32))
        .join(names.rename({"category": "favorite_category"}), on="code")
    )
    joined = values.join(times, on=["user_id", "at"], how="left").join(best, on=["user_id", "at"], how="left")
    some = pl.col("clicks") > 0
    return joined.select(
        "user_id",
        (pl.col("at") - 1).cast(pl.Date).alias("as_of"),
        pl.col("events").alias("total_events"),
        "clicks",
        "purchases",
        "add_to_carts",
        purchase_rate=pl.when(some).then(pl.col("purchases") / pl.col("clicks")).otherwise(0.0),
        categories_viewed=pl.col("categories_viewed").fill_null(0),
        favorite_category=pl.col("favorite_category"),
        avg_price_point=pl.when(pl.col("price_count") > 0).then(
            pl.col("price_sum") / pl.col("price_count") / 10_000
        ),
        avg_time_on_page=pl.when(pl.col("duration_count") > 0).then(
            pl.col("duration_sum") / pl.col("duration_count")
        ),
        first_event_time=pl.col("first_event_time"),
        last_event_time=pl.col("last_event_time"),
    )


def _product_features(days: pl.LazyFrame, products: pl.LazyFrame) -> pl.LazyFrame:
    weight = pl.col("clicks") + 3 * pl.col("add_to_carts") + 10 * pl.col("purchases")
    counts = ["clicks", "add_to_carts", "purchases", "rating_sum", "rating_count"]
    counted = days.with_columns(recent=weight, earlier=pl.lit(0, pl.Int64)).filter(
        weight + pl.col("rating_count") > 0
    )
    told = products.rename({"observed_at": "valid_from"}).sort("product_id", "valid_from")
    names = ["product_id", "title", "category", "brand", "price", "inventory"]
    told = told.filter(pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in names))
    known = pl.col("valid_from").cast(pl.Int64) - 10_000_000
    first = days.select(pl.col("event_date").min().cast(pl.Int32)).collect().item()
    ends = told.select("product_id", at=-(-known // _DAY))
    ends = ends.filter((pl.col("at") > first) & (pl.col("at") <= _last_day(days)))
    ends = ends.unique().select("product_id", pl.col("at").cast(pl.Int32))
    values = _changes(
        counted,
        ["product_id"],
        [*counts, "recent", "earlier"],
        {
            7: [-pl.col("recent"), pl.col("recent").alias("earlier")],
            14: [-pl.col("recent").alias("earlier")],
            _DAYS: [-pl.col(name) for name in counts],
        },
        ends,
    )
    at = values.with_columns(
        as_of_time=(pl.col("at").cast(pl.Int64) * _DAY + 10_000_000).cast(pl.Datetime("us", "UTC"))
    )
    joined = at.sort("as_of_time").join_asof(
        told.sort("valid_from"),
        left_on="as_of_time",
        right_on="valid_from",
        by="product_id",
        check_sortedness=False,
    )
    return joined.select(
        "product_id",
        (pl.col("at") - 1).cast(pl.Date).alias("as_of"),
        "as_of_time",
        "category",
        "price",
        pl.col("inventory").alias("inventory_level"),
        "clicks",
        "purchases",
        "add_to_carts",
        popularity_score=(1 + weight).log(),
        conversion_rate=(pl.col("purchases") + 1) / (pl.col("clicks") + 50),
        avg_rating=pl.when(pl.col("rating_count") > 0)
        .then(pl.col("rating_sum") / pl.col("rating_count") / 10_000)
        .otherwise(0.0),
        trend=((pl.col("recent") + 1) / (pl.col("earlier") + 1)).log(),
    )
