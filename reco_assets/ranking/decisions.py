"""Decision points: moments at which an answer could have been shown, and what happened after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from reco_assets.events.contract import EventType
from reco_assets.interactions.log import InteractionLog

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Int8s = npt.NDArray[np.int8]

#: What an event after the decision is worth, by EventType code: purchase > cart = favorite > click.
GRADES: Final = np.array([1, 2, 0, 3, 2, 1, 0, 0], np.int8)
DAY_US: Final = 86_400_000_000
#: A page counts as open so long after it was opened, microseconds: the pause that ends a visit.
OPEN_US: Final = 1_800_000_000
#: Share of sampled moments, at the most, that are people's first.
UNTOLD: Final = 0.1


@dataclass(frozen=True)
class Objective:
    """What an answer is for: which of the things that a person does after it count.

    Attributes
    ----------
    horizon_us
        How far ahead of a decision its outcome is looked for, microseconds.
    only_next
        Only the next product counts, not all within the horizon.
    open_page
        The product that the person looked at last counts like any other. In a shop it does not, as long as
        its page is open: an answer that leads there is of no use. That it is put into the cart or bought
        counts all the same.
    """

    horizon_us: int = DAY_US
    only_next: bool = False
    open_page: bool = False


@dataclass(frozen=True)
class Decisions:
    """Decision points in the order of time.

    Attributes
    ----------
    user
        ``int32[d]`` rows of the log's ``user_ids``.
    time
        ``int64[d]`` UTC microseconds; the person's state is what happened strictly before.
    at
        ``int64[d]``: the log's row of the event that the person was about to make.
    """

    user: Int32s
    time: Int64s
    at: Int64s

    def __len__(self) -> int:
        """Number of decisions."""
        return len(self.time)


def sample_decisions(
    log: InteractionLog, first: int, last: int, most: int, per_user: int, seed: int
) -> Decisions:
    """Up to ``per_user`` random moments of each person in ``[first, last)``, ``most`` in all.

    A moment is that of an event of the person, so that there is something to predict. Where more than
    ``most`` are found, at most ``UNTOLD`` of those taken are people's very first: they have no history,
    so one teaches what all do.
    """
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero((log.time >= first) & (log.time < last))
    rows = rows[rng.permutation(len(rows))]
    order = np.argsort(log.user[rows], kind="stable")
    users = log.user[rows][order]
    starts = np.searchsorted(users, users)
    rows = rows[order][np.arange(len(users)) - starts < per_user]
    if len(rows) > most:
        rows = _fewer_untold(log, rng.permutation(rows), most)
    rows = rows[np.lexsort((rows, log.time[rows]))]
    return Decisions(log.user[rows], log.time[rows], rows.astype(np.int64))


def _fewer_untold(log: InteractionLog, rows: Int64s, most: int) -> Int64s:
    """The first ``most`` of ``rows``, with at most ``UNTOLD`` of first events where there are others."""
    first = rows == log.user_bounds[log.user[rows]]
    late = first & (np.cumsum(first) > UNTOLD * most)
    return np.concatenate([rows[~late], rows[late]])[:most]


@dataclass(frozen=True)
class Outcome:
    """What a person did from a decision on: distinct items and the best grade of each."""

    items: Int32s
    grades: Int8s


@dataclass(frozen=True)
class Past:
    """What a person had done strictly before a decision."""

    items: Int32s
    kinds: Int8s
    times: Int64s
    bought: Int32s


def outcomes(log: InteractionLog, decisions: Decisions, last: int, objective: Objective) -> Iterator[Outcome]:
    """The outcome of each decision as ``objective`` sees it, before ``last``."""
    grade = GRADES[log.kind]
    bounds = log.user_bounds
    for user, time in zip(decisions.user.tolist(), decisions.time.tolist(), strict=True):
        low, high = int(bounds[user]), int(bounds[user + 1])
        begin = low + int(np.searchsorted(log.time[low:high], time))
        end = low + int(np.searchsorted(log.time[low:high], min(time + objective.horizon_us, last)))
        counted = grade[begin:end] > 0
        if begin > low and not objective.open_page and time - log.time[begin - 1] < OPEN_US:
            elsewhere = log.item[begin:end] != log.item[begin - 1]
            counted = counted & (elsewhere | (grade[begin:end] > 1))
        rows = begin + np.flatnonzero(counted)
        if objective.only_next:
            rows = rows[log.item[rows] == log.item[rows[:1]]] if len(rows) else rows
        items, inverse = np.unique(log.item[rows], return_inverse=True)
        grades = np.zeros(len(items), np.int8)
        np.maximum.at(grades, inverse, grade[rows])
        yield Outcome(items, grades)


def pasts(log: InteractionLog, decisions: Decisions, recent: int, most_bought: int) -> Iterator[Past]:
    """Each decision's past: the last ``recent`` events, the last ``most_bought`` distinct purchases."""
    bounds = log.user_bounds
    bought_rows = np.flatnonzero(log.kind == EventType.purchase)
    for user, time in zip(decisions.user.tolist(), decisions.time.tolist(), strict=True):
        low, high = int(bounds[user]), int(bounds[user + 1])
        end = low + int(np.searchsorted(log.time[low:high], time))
        begin = max(low, end - recent)
        first, last = np.searchsorted(bought_rows, (low, end))
        yield Past(
            log.item[begin:end],
            log.kind[begin:end],
            log.time[begin:end],
            last_distinct(log.item[bought_rows[first:last]], most_bought),
        )


def last_distinct(items: Int32s, most: int) -> Int32s:
    """The last ``most`` distinct ``items``, in the order of their last occurrence."""
    distinct, at = np.unique(items[::-1], return_index=True)
    return distinct[np.argsort(at)][:most][::-1].astype(np.int32)
