import polars as pl

from reco_assets.online.state import bought_products, recent_events
from tests.builders import click, events, purchase, search


def silver(*rows: dict) -> pl.LazyFrame:  # type: ignore[type-arg]
    return events(*rows).with_columns(event_date=pl.col("timestamp").dt.date()).lazy()


def test_a_person_is_remembered_after_months() -> None:
    table = silver(click("u1", "old", at="2024-01-01T00:00"))
    assert recent_events(table).collect()["product_id"].to_list() == ["old"]


def test_recent_events_are_the_last_product_events_oldest_first() -> None:
    table = silver(
        click("u1", "p2", at="2024-05-09T12:02"),
        click("u1", "p1", at="2024-05-09T12:01"),
        search("u1", "shoes", at="2024-05-09T12:03"),
    )
    assert recent_events(table).collect()["product_id"].to_list() == ["p1", "p2"]


def test_only_as_many_recent_events_as_the_online_value_holds() -> None:
    table = silver(*(click("u1", f"p{n}", at=f"2024-05-09T12:{n:02}") for n in range(30)))
    found = recent_events(table).collect()["product_id"].to_list()
    assert found == [f"p{n}" for n in range(10, 30)]


def test_bought_products_are_distinct_and_remembered_for_years() -> None:
    table = silver(
        purchase("u1", "p1", at="2023-01-01T00:00"),
        purchase("u1", "p2", at="2024-05-01T00:00"),
        purchase("u1", "p1", at="2024-05-02T00:00"),
        click("u1", "p9", at="2024-05-02T00:00"),
    )
    assert bought_products(table).collect()["products"].to_list() == [["p2", "p1"]]
