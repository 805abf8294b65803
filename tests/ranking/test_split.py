import pytest

from reco_assets.errors import BadInput
from reco_assets.ranking.split import DAY_US, WINDOW_US, split_time


def test_a_month_is_cut_at_midnight_with_the_last_day_as_the_test() -> None:
    first, last = 100 * DAY_US + 5, 130 * DAY_US - 7
    split = split_time(first, last)
    assert (split.end, split.test_from, split.validate_from) == (130 * DAY_US, 129 * DAY_US, 128 * DAY_US)
    assert split.train_from == 123 * DAY_US


def test_a_few_hours_are_cut_on_the_window_grid() -> None:
    split = split_time(0, 3 * 3600 * 10**6)
    moments = (split.train_from, split.validate_from, split.test_from)
    assert 0 < split.train_from < split.validate_from < split.test_from < split.end
    assert all(moment % WINDOW_US == 0 for moment in moments)


def test_less_than_an_hour_teaches_nothing() -> None:
    with pytest.raises(BadInput, match="shorter than one hour"):
        split_time(0, 59 * 60 * 10**6)
