from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from reco_assets.catalogue.history import PRODUCTS_SCHEMA, product_history, user_history
from reco_assets.events.observations import CATALOGUE_SCHEMA, USERS_SCHEMA

SEEN = {"product_id": pl.String(), "first_seen": pl.Datetime("us", "UTC")}


def day(number: int) -> datetime:
    return datetime(2024, 5, number, tzinfo=UTC)


def observed(*rows: dict[str, object]) -> pl.DataFrame:
    """Observations ``{product_id, at, ...}``; the order of the rows is the order of delivery."""
    made = [
        {
            "delivery": "d",
            "delivery_position": n,
            **{("observed_at" if k == "at" else k): v for k, v in row.items()},
        }
        for n, row in enumerate(rows, 1)
    ]
    return pl.DataFrame(made, schema=CATALOGUE_SCHEMA, orient="row")


def seen(**first: datetime) -> pl.DataFrame:
    return pl.DataFrame({"product_id": list(first), "first_seen": list(first.values())}, schema=SEEN)


def rows(history: pl.DataFrame, *columns: str) -> list[tuple[object, ...]]:
    return history.select(*columns, "valid_from", "valid_to").rows()


def test_one_row_a_change_and_equal_observations_collapse() -> None:
    history = product_history(
        observed(
            {"product_id": "p1", "at": day(1), "price": 10.0},
            {"product_id": "p1", "at": day(2), "price": 10.0},
            {"product_id": "p1", "at": day(3), "price": 12.0},
            {"product_id": "p1", "at": day(4), "price": 10.0},
        ),
        seen(),
    )
    assert rows(history, "price") == [
        (10.0, day(1), day(3)),
        (12.0, day(3), day(4)),
        (10.0, day(4), None),
    ]
    assert history.schema == pl.Schema(PRODUCTS_SCHEMA)


def test_null_says_nothing_and_the_former_value_holds() -> None:
    history = product_history(
        observed(
            {"product_id": "p1", "at": day(1), "price": 10.0, "brand": "a"},
            {"product_id": "p1", "at": day(2), "inventory": 3},
            {"product_id": "p1", "at": day(3), "price": 10.0},
        ),
        seen(),
    )
    assert rows(history, "price", "brand", "inventory") == [
        (10.0, "a", None, day(1), day(2)),
        (10.0, "a", 3, day(2), None),
    ]


def test_a_row_begins_when_the_product_was_first_met() -> None:
    observations = observed(
        {"product_id": "p1", "at": day(5), "price": 1.0}, {"product_id": "p2", "at": day(5)}
    )
    history = product_history(observations, seen(p1=day(2), p2=day(7), p3=day(3)))
    assert rows(history, "product_id", "price") == [
        ("p1", 1.0, day(2), None),
        ("p2", None, day(5), None),
        ("p3", None, day(3), None),
    ]


def test_of_two_observations_at_one_moment_the_later_delivered_wins_for_what_it_says() -> None:
    history = product_history(
        observed(
            {"product_id": "p1", "at": day(1), "price": 1.0, "brand": "a"},
            {"product_id": "p1", "at": day(1), "price": 2.0},
        ),
        seen(),
    )
    assert rows(history, "price", "brand") == [(2.0, "a", day(1), None)]


def test_no_observation_and_no_event_is_an_empty_table() -> None:
    assert product_history(observed(), seen()).schema == pl.Schema(PRODUCTS_SCHEMA)


def test_users_have_a_history_too() -> None:
    observations = pl.DataFrame(
        {
            "delivery": ["d", "d"],
            "delivery_position": [1, 2],
            "user_id": ["u1", "u1"],
            "observed_at": [day(1), day(2)],
            "country": ["NL", "DE"],
            "segment": [None, None],
        },
        schema=USERS_SCHEMA,
    )
    history = user_history(observations, pl.DataFrame({"user_id": ["u2"], "first_seen": [day(3)]}))
    assert rows(history, "user_id", "country") == [
        ("u1", "NL", day(1), day(2)),
        ("u1", "DE", day(2), None),
        ("u2", None, day(3), None),
    ]


OBSERVATIONS = st.lists(
    st.fixed_dictionaries(
        {
            "product_id": st.sampled_from(["p1", "p2"]),
            "at": st.integers(1, 9).map(day),
            "price": st.sampled_from([None, 1.0, 2.0]),
            "brand": st.sampled_from([None, "a"]),
        }
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(OBSERVATIONS, st.randoms(use_true_random=False))
def test_the_history_is_the_last_word_at_every_moment_whatever_the_order_of_arrival(
    made: list[dict[str, object]], random: object
) -> None:
    table = observed(*made)
    history = product_history(table, seen())
    assert product_history(table.sample(fraction=1, shuffle=True, seed=1), seen()).equals(history)
    for product in ("p1", "p2"):
        mine = history.filter(pl.col("product_id") == product)
        periods = mine.select("valid_from", "valid_to").rows()
        assert all(end == begin for (_, end), (begin, _) in pairwise(periods))
        for number in range(1, 10):
            said = [row for row in made if row["product_id"] == product and row["at"] <= day(number)]  # type: ignore[operator]
            now = mine.filter(
                (pl.col("valid_from") <= day(number))
                & (pl.col("valid_to").is_null() | (pl.col("valid_to") > day(number)))
            )
            assert now.height == bool(said)
            for name in ("price", "brand") if said else ():
                ordered = sorted(said, key=lambda row: row["at"])  # type: ignore[arg-type,return-value]
                words = [row[name] for row in ordered if row[name] is not None]
                assert now[name][0] == (words[-1] if words else None)
