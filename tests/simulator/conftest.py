"""A small shop, simulated once, whose tables the tests look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from reco_assets.simulator.parameters import Parameters
from reco_assets.simulator.schedule import Schedule, schedule
from reco_assets.simulator.shop import simulate
from reco_assets.simulator.world import World, world


@dataclass(frozen=True)
class Shop:
    """A simulated shop, read back from its files, with the truth behind it."""

    folder: Path
    world: World
    schedule: Schedule
    events: pl.DataFrame
    products: pl.DataFrame
    users: pl.DataFrame

    def of_type(self, *kinds: str) -> pl.DataFrame:
        """Events of these types."""
        return self.events.filter(pl.col("event_type").is_in(kinds))

    def product_rows(self, ids: pl.Series) -> pl.Series:
        """Rows of the world's products by id."""
        known = pl.Series(self.world.products.ids)
        return ids.replace_strict(known, pl.Series(range(len(known))))

    def user_rows(self, ids: pl.Series) -> pl.Series:
        """Rows of the world's users by id."""
        known = pl.Series(self.world.users.ids)
        return ids.replace_strict(known, pl.Series(range(len(known))))


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """28 days, from a Monday to a Sunday, and 100,000 events."""
    folder = tmp_path_factory.mktemp("shop")
    parameters = Parameters(users=800, products=600, days=28, end=date(2025, 6, 29), seed=3, events=100_000)
    simulate(parameters, folder)
    hidden = world(parameters)
    return Shop(
        folder=folder,
        world=hidden,
        schedule=schedule(parameters, hidden.products),
        events=pl.concat([pl.read_parquet(path) for path in sorted((folder / "events").iterdir())]),
        products=pl.read_parquet(folder / "products.parquet"),
        users=pl.read_parquet(folder / "users.parquet"),
    )
