import polars as pl

from reco_assets.catalogue.items import product_keys
from reco_assets.online.past import bought_products, condensed, prepared, recent_events
from tests.builders import add_to_cart, click, events, purchase, search


def past(*rows: dict) -> pl.DataFrame:  # type: ignore[type-arg]
    return prepared(events(*rows).with_columns(event_date=pl.col("timestamp").dt.date()).lazy()).collect()


def keys(*ids: str) -> list[int]:
    return [int(key) for key in product_keys(ids)]


def test_a_person_is_remembered_after_months() -> None:
    assert recent_events(past(click("u1", "old", at="2024-01-01T00:00")))["product_key"].to_list() == keys(
        "old"
    )


def test_recent_events_are_the_last_product_events_oldest_first() -> None:
    rows = past(
        click("u1", "p2", at="2024-05-09T12:02"),
        click("u1", "p1", at="2024-05-09T12:01"),
        search("u1", "shoes", at="2024-05-09T12:03"),
    )
    assert recent_events(rows)["product_key"].to_list() == keys("p1", "p2")


def test_events_of_one_moment_are_in_the_order_of_what_the_packed_value_says() -> None:
    at = "2024-05-09T12:00"
    rows = [click("u1", "p1", at=at), add_to_cart("u1", "p1", at=at), click("u1", "p2", at=at)]
    found = recent_events(past(*rows))
    assert found.equals(recent_events(past(*reversed(rows))))
    assert found["product_key"].to_list() == sorted(keys("p1", "p1", "p2"))


def test_only_as_many_recent_events_as_the_online_value_holds() -> None:
    rows = past(*(click("u1", f"p{n}", at=f"2024-05-09T12:{n:02}") for n in range(30)))
    assert recent_events(rows)["product_key"].to_list() == keys(*(f"p{n}" for n in range(10, 30)))


def test_bought_products_are_distinct_and_remembered_for_years() -> None:
    rows = past(
        purchase("u1", "p1", at="2023-01-01T00:00"),
        purchase("u1", "p2", at="2024-05-01T00:00"),
        purchase("u1", "p1", at="2024-05-02T00:00"),
        click("u1", "p9", at="2024-05-02T00:00"),
    )
    assert bought_products(rows)["products"].to_list() == [keys("p2", "p1")]


def test_condensing_leaves_out_only_what_the_online_store_does_not_hold() -> None:
    rows = past(
        purchase("u1", "first", at="2023-01-01T00:00"),
        *(click("u1", f"p{n}", at=f"2024-05-09T12:{n:02}") for n in range(40)),
        *(purchase("u2", f"p{n}", at=f"2024-05-09T12:{n:02}") for n in range(50)),
    )
    kept = condensed(rows)
    assert kept.height < rows.height
    assert kept.height == kept.unique().height
    assert recent_events(kept).equals(recent_events(rows))
    assert bought_products(kept).equals(bought_products(rows))
    assert condensed(kept).sort(kept.columns).equals(kept.sort(kept.columns))
