"""What an asset tells Dagster about the table it wrote; the one place that knows both sides."""

from collections.abc import Mapping
from datetime import date

import dagster as dg
import polars as pl

from reco_assets.monitoring.plots import markdown_image
from reco_assets.monitoring.preview import columns, preview, ranges

#: Rows of a larger table that are looked at for ranges.
_SAMPLE = 200_000


def table_metadata(
    frame: pl.DataFrame,
    *,
    version: int | None = None,
    rows: int | None = None,
    descriptions: Mapping[str, str] | None = None,
    pictures: Mapping[str, bytes] | None = None,
) -> dict[str, dg.MetadataValue]:
    """Row count, schema, ranges, preview, Delta version and pictures of a table.

    Parameters
    ----------
    frame
        What was written, or a sample of it.
    rows
        Rows written, where ``frame`` is only a sample.
    pictures
        PNG by name, as monitoring/plots makes them.
    """
    shown = columns(frame.schema, descriptions)
    made: dict[str, dg.MetadataValue] = {
        "dagster/row_count": dg.MetadataValue.int(frame.height if rows is None else rows),
        "dagster/column_schema": dg.MetadataValue.table_schema(
            dg.TableSchema([dg.TableColumn(c.name, c.dtype, c.description or None) for c in shown])
        ),
        "ranges": dg.MetadataValue.md(ranges(frame.head(_SAMPLE))),
        "preview": dg.MetadataValue.md(preview(frame)),
    }
    if version is not None:
        made["delta_version"] = dg.MetadataValue.int(version)
    for name, png in (pictures or {}).items():
        made[name] = dg.MetadataValue.md(markdown_image(png, name))
    return made


def add_daily_metadata(
    context: dg.AssetExecutionContext, rows_of_days: Mapping[date, int], shown: Mapping[str, dg.MetadataValue]
) -> None:
    """Give each materialized day its own row count, and only the last one what is large (``shown``).

    A run over a year of days would otherwise keep the same pictures and previews 365 times.
    """
    keys = list(context.partition_keys)
    for key in keys:
        rows = rows_of_days.get(date.fromisoformat(key), 0)
        context.add_asset_metadata({"dagster/partition_row_count": rows}, partition_key=key)
    context.add_asset_metadata(shown, partition_key=keys[-1])
