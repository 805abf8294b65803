"""A user's past is gathered from the newest day back, without what is too old to be kept."""

from __future__ import annotations

import random

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from reco_assets.events.contract import EventType
from reco_assets.online.past import SCHEMA, Latest, bought_products, condensed, recent_events
from reco_assets.recommender.types import RECENT

DAY_US = 86_400_000_000


def past(*rows: tuple[str, int, int, EventType]) -> pl.DataFrame:
    """Past rows: user, day, microsecond of the day, kind; of a product for each microsecond."""
    told = [(user, None, day * DAY_US + at, at, int(kind)) for user, day, at, kind in rows]
    frame = pl.DataFrame(told, schema=SCHEMA, orient="row")
    return frame.with_columns(event_date=pl.from_epoch("at", "us").dt.date())


def gathered(rows: pl.DataFrame) -> Latest:
    """``rows`` added day by day, the newest first."""
    latest = Latest()
    for day in rows["event_date"].unique().sort(descending=True):
        latest.add(rows.filter(event_date=day))
    return latest


@pytest.mark.parametrize("seed", range(3))
def test_what_is_kept_is_what_everything_would_give(seed: int) -> None:
    dice = random.Random(seed)
    kinds = [EventType.click] * 5 + [EventType.purchase]
    places = ((f"u{dice.randrange(5)}", dice.randrange(9), dice.randrange(60)) for _ in range(900))
    rows = past(*((*place, dice.choice(kinds)) for place in places))
    for kept in (gathered(rows).rows(), condensed(gathered(rows).rows())):
        for told in (recent_events, bought_products):
            assert_frame_equal(told(kept), told(rows))


def test_only_purchases_count_of_days_before_those_that_are_enough() -> None:
    newest = [("u1", 9, at, EventType.click) for at in range(RECENT)]
    before = [("u1", 8, 1, EventType.click), ("u1", 8, 2, EventType.purchase), ("u2", 8, 3, EventType.click)]
    kept = gathered(past(*newest, *before)).rows()
    assert kept.filter(pl.col("at") < 9 * DAY_US)["product"].to_list() == [2, 3]
