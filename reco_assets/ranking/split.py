"""Where time is cut: sources learn before, the ranker after, the evaluation last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from reco_assets.errors import BadInput

DAY_US: Final = 86_400_000_000
WINDOW_US: Final = 300_000_000


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


def split_time(first: int, last: int) -> Split:
    """Cut the span from the first event to the last.

    With a week or more of history the cuts are at midnight: the last day is the test, the day
    before it the validation, and the ranker learns from up to five days before that (a fifth of
    the history at the most). A shorter history is cut at 60, 75 and 85 % of its span, on the
    5-minute grid.

    Raises
    ------
    BadInput
        The history is shorter than an hour.
    """
    span = last - first
    if span < 12 * WINDOW_US:
        raise BadInput(
            "splitting the history: it is shorter than one hour",
            hint="import more events; training needs a past and a future",
        )
    if span >= 7 * DAY_US:
        end = last // DAY_US * DAY_US + DAY_US
        test = end - DAY_US
        validate = test - DAY_US
        train = validate - max(1, min(5, span // (5 * DAY_US))) * DAY_US
        return Split(train, validate, test, end)
    cut = [first + span * share // 100 // WINDOW_US * WINDOW_US for share in (60, 75, 85)]
    return Split(cut[0], cut[1], cut[2], last + 1)
