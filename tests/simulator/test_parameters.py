from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reco_assets.errors import BadInput
from reco_assets.simulator.parameters import Parameters


@given(events=st.integers(1_000, 10**9), days=st.integers(1, 400))
def test_days_add_up_to_exactly_the_events_asked_for(events: int, days: int) -> None:
    counts = Parameters(events=events, days=days).events_of_days()
    assert len(counts) == days
    assert sum(counts) == events
    assert min(counts) >= 0


def test_without_a_number_of_events_users_and_days_decide() -> None:
    assert Parameters().total_events == 300_000
    assert Parameters(users=10, days=3, events_per_user_day=2).total_events == 60


def test_the_last_day_is_the_end() -> None:
    parameters = Parameters(days=30, end=date(2025, 3, 2))
    assert parameters.first_day == date(2025, 2, 1)
    assert parameters.day(29) == date(2025, 3, 2)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("users", 0),
        ("products", 31),
        ("days", 0),
        ("seed", -1),
        ("events", 3),
        ("follow", 1.5),
        ("taste", -1),
    ],
)
def test_an_impossible_parameter_is_named(field: str, value: float) -> None:
    with pytest.raises(BadInput, match=f"{field} is {value}"):
        Parameters(**{field: value})  # type: ignore[arg-type]
