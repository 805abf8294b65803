from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reco_assets.errors import BadInput
from reco_assets.ranking.split import DAY_US, WINDOW_US, split_time


def test_a_month_is_cut_at_midnight_with_the_last_day_as_the_test() -> None:
    first, last = 100 * DAY_US + 5, 130 * DAY_US - 7
    split = split_time(np.linspace(first, last, 600_000).astype(np.int64))
    assert (split.end, split.test_from, split.validate_from) == (130 * DAY_US, 129 * DAY_US, 128 * DAY_US)
    assert split.train_from == 123 * DAY_US


def test_a_few_hours_are_cut_on_the_window_grid() -> None:
    split = split_time(np.arange(0, 3 * 3600 * 10**6, 10**6))
    moments = (split.train_from, split.validate_from, split.test_from)
    assert 0 < split.train_from < split.validate_from < split.test_from < split.end
    assert all(moment % WINDOW_US == 0 for moment in moments)


def test_less_than_an_hour_teaches_nothing() -> None:
    with pytest.raises(BadInput, match="shorter than one hour"):
        split_time(np.array([0, 59 * 60 * 10**6]))


def test_nothing_is_to_learn_from_an_empty_history() -> None:
    with pytest.raises(BadInput, match="shorter than one hour"):
        split_time(np.empty(0, np.int64))


def test_a_short_history_is_cut_by_what_happened_and_not_by_the_clock() -> None:
    """An hour of crowds, five quiet hours: the cuts lie in the crowd."""
    crowd = np.arange(0, 3600 * 10**6, 10**6)
    split = split_time(np.append(crowd, 6 * 3600 * 10**6))
    assert split.test_from < 3600 * 10**6
    assert split.train_from == 60 * 60 * 10**6 * 60 // 100 // WINDOW_US * WINDOW_US


@given(st.lists(st.integers(0, 6 * DAY_US), min_size=1, max_size=50))
def test_the_cuts_of_a_short_history_are_apart(times: list[int]) -> None:
    split = split_time(np.array([*times, 0, 3600 * 10**6]))
    cuts = (0, split.train_from, split.validate_from, split.test_from, split.end)
    assert all(later > earlier for earlier, later in pairwise(cuts))
    assert all(cut % WINDOW_US == 0 for cut in cuts[1:4])


def test_where_little_happens_in_a_day_more_days_validate_and_teach() -> None:
    """A hundred days with 1,500 events each: seven days have 10,000, and a fifth of all is learned from."""
    split = split_time(np.linspace(0, 100 * DAY_US - 1, 150_000).astype(np.int64))
    assert split.test_from == 99 * DAY_US
    assert split.validate_from == (99 - 7) * DAY_US
    assert split.train_from == split.validate_from - 19 * DAY_US


def test_two_events_in_a_month_are_cut_as_well() -> None:
    split = split_time(np.array([5, 30 * DAY_US - 7]))
    assert split.train_from == (29 - 2 - 5) * DAY_US
