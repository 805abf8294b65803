"""Where time is cut: sources learn before, the ranker after, the evaluation last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from reco_assets.errors import BadInput

Int64s = npt.NDArray[np.int64]

DAY_US: Final = 86_400_000_000
WINDOW_US: Final = 300_000_000
#: A shop where less than this happens in a day is validated on more days, and in five days, learns from
#: more: events that are wanted for each, as far as a tenth and a fifth of the history go.
VALIDATED_EVENTS: Final = 10_000
LEARNED_EVENTS: Final = 100_000
#: Days to learn from where there is enough in them.
LEARNED_DAYS: Final = 5


@dataclass(frozen=True)
class Split:
    """Four moments, UTC microseconds.

    Sources for the training examples are fitted before ``train_from``; the ranker learns from
    decisions in ``[train_from, validate_from)``, is tuned on ``[validate_from, test_from)`` and is
    judged, with sources fitted before ``test_from``, on ``[test_from, end)``.
    """

    train_from: int
    validate_from: int
    test_from: int
    end: int


def split_time(times: Int64s) -> Split:
    """Cut the span of events that happened at ``times`` (UTC microseconds, any order).

    With a week or more of history the cuts are at midnight: the last day is the test, the day
    before it the validation, and the ranker learns from five days before that (a fifth of the history
    at the most). Where little happens in a day, validation and learning take more days. A shorter
    history is cut where 60, 75 and 85 % of its events have happened, on the 5-minute grid: hours of a
    night would teach nothing.

    Raises
    ------
    BadInput
        The history is shorter than an hour.
    """
    first, last = (int(times.min()), int(times.max())) if len(times) else (0, 0)
    span = last - first
    if span < 12 * WINDOW_US:
        raise BadInput(
            "splitting the history: it is shorter than one hour",
            hint="import more events; training needs a past and a future",
        )
    if span >= 7 * DAY_US:
        end = last // DAY_US * DAY_US + DAY_US
        test = end - DAY_US
        days = span // DAY_US
        validate = _days_before(times, test, VALIDATED_EVENTS, 1, max(1, days // 10))
        fifth = max(1, days // 5)
        train = _days_before(times, validate, LEARNED_EVENTS, min(LEARNED_DAYS, fifth), fifth)
        return Split(train, validate, test, end)
    ordered = np.sort(times)
    cuts: list[int] = []
    for number, share in enumerate((60, 75, 85)):
        window = int(ordered[len(ordered) * share // 100]) // WINDOW_US * WINDOW_US
        # apart from each other and from both ends, however the events crowd
        least = (cuts[-1] if cuts else first) + WINDOW_US
        most = last // WINDOW_US * WINDOW_US - (2 - number) * WINDOW_US
        cuts.append(min(max(window, -(-least // WINDOW_US) * WINDOW_US), most))
    return Split(cuts[0], cuts[1], cuts[2], last + 1)


def _days_before(times: Int64s, moment: int, events: int, least: int, most: int) -> int:
    """The midnight, ``least`` to ``most`` days before ``moment``, from which on there are ``events``."""
    for days in range(least, most):
        first = moment - days * DAY_US
        if np.count_nonzero((times >= first) & (times < moment)) >= events:
            return first
    return moment - most * DAY_US
