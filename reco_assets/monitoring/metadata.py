"""What an asset tells Dagster about the table it wrote; the one place that knows both sides."""

from collections.abc import Mapping

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
