"""Where the past of a few users or products is found: in the lake's tables, or in indexes of them."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Final, Protocol

import ibis.expr.types as ir
import polars as pl

from reco_assets.features import products, users
from reco_assets.features.catalogue import HORIZON_DAYS
from reco_assets.features.windows import PRODUCT_SUMS, USER_SUMS
from reco_assets.platform.engine import Engine
from reco_assets.platform.lake import Lake
from reco_assets.platform.run_layout import Layout
from reco_assets.platform.runs import Runs

_TIMES: Final = ("first_event_time", "last_event_time")


def _rollups(table: str, key: str, sums: tuple[str, ...], words: tuple[str, ...] = ()) -> Layout:
    """Of rollups a horizon is asked for at once: two periods hold one."""
    return Layout(table, key, sums, words, period=2 * HORIZON_DAYS)


def _tiles(table: str, key: str, sums: tuple[str, ...], words: tuple[str, ...] = ()) -> Layout:
    """Of tiles only those of the day that is not over count, or of the one before, just after midnight."""
    return Layout(table, key, ("window_start", *sums), words, period=1, recent=2)


#: Tables that are indexed: those of which a micro-batch needs the past of the keys that it touches.
INDEXED: Final[dict[str, Layout]] = {
    layout.table: layout
    for layout in (
        _rollups("gold/user_days", users.KEY, (*USER_SUMS, *_TIMES)),
        _rollups("gold/user_category_days", users.KEY, ("events",), ("category",)),
        _rollups("gold/product_days", products.KEY, PRODUCT_SUMS),
        _tiles("gold/user_windows", users.KEY, (*USER_SUMS, *_TIMES)),
        _tiles("gold/user_category_windows", users.KEY, ("events",), ("category",)),
        _tiles("gold/product_windows", products.KEY, PRODUCT_SUMS),
    )
}


class History(Protocol):
    """Rows of a table of tiles or rollups for some keys only."""

    def rows(
        self, engine: Engine, name: str, asked: ir.Table, ids: pl.Series, days: tuple[date, date]
    ) -> ir.Table:
        """Rows of table ``name`` whose key is in ``asked`` (an engine's table) on ``days``, inclusive.

        ``ids`` are the same keys, distinct; the column of ``asked`` has their name.
        """


class LakeHistory(History):
    """Reads the tables themselves: the cost follows the days."""

    def rows(
        self, engine: Engine, name: str, asked: ir.Table, ids: pl.Series, days: tuple[date, date]
    ) -> ir.Table:
        """Read all rows of the days and keep those asked for."""
        return engine.table(name, event_dates=days).semi_join(asked, ids.name)


#: The history that needs nothing of its own.
IN_LAKE: Final = LakeHistory()


class IndexedHistory(History):
    """Asks indexes in ``folder`` that follow the tables: the cost follows the keys.

    Attributes
    ----------
    rows_read
        Rows that were found so far.
    """

    def __init__(self, lake: Lake, folder: Path) -> None:
        self.rows_read = 0
        self._runs = {
            name: Runs(lake, layout, folder / name.replace("/", "-")) for name, layout in INDEXED.items()
        }

    def follow(self) -> int:
        """Bring the indexes up to their tables; how many rows were read."""
        return sum(runs.follow() for runs in self._runs.values())

    def rows(
        self, engine: Engine, name: str, asked: ir.Table, ids: pl.Series, days: tuple[date, date]
    ) -> ir.Table:
        """Look the keys up."""
        runs = self._runs[name]
        runs.follow()
        found = runs.find(ids, *days)
        self.rows_read += found.height
        return engine.arrow(found.select(runs.schema.names).to_arrow().cast(runs.schema))
