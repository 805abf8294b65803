"""What the recommenders are asked about a session."""

from datetime import datetime

from benchmarks.quality.live_shop import Known
from benchmarks.quality.periods import Period, micros
from benchmarks.quality.questions import SESSION, Asked
from benchmarks.quality.shop_files import LOG_SCHEMA
from reco_assets.interactions.history import ShopHistory
from reco_assets.ranking.training import past_bundle
from tests.builders import click, events
from tests.candidates.shops import log, shop


def test_where_a_visitor_goes_next_is_asked_without_the_page_that_is_open() -> None:
    items = shop("tea", "cup", "pot")
    told = events(
        click("u", "tea", at="2024-05-10T09:00"),
        click("u", "cup", at="2024-05-10T09:01"),
        click("u", "gone", at="2024-05-10T09:02"),
        click("u", "pot", at="2024-05-10T09:03"),
    ).select(list(LOG_SCHEMA))
    period = Period(
        micros(datetime.fromisoformat("2024-05-10")), micros(datetime.fromisoformat("2024-05-12"))
    )
    bundle = past_bundle(ShopHistory(items, log(items)), period.first)
    asked = Asked(told, period, Known(period.first, bundle, {}))
    found = list(asked.questions(SESSION, asked.tables()[SESSION]))
    assert [one.request.exclude for one in found] == [(items.row("tea"),), (items.row("cup"),), ()]
    assert [one.wanted.tolist() for one in found] == [[items.row("cup")], [-1], [items.row("pot")]]
    assert found[2].state.items.tolist() == [items.row("tea"), items.row("cup")]
