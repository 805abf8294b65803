"""The three questions as the recommenders get them: a person's state, a request, and what is wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl

from benchmarks.quality.live_shop import Known
from benchmarks.quality.periods import Period, before, discovery, purchases, session_steps
from reco_assets.events.contract import EventType
from reco_assets.interactions.log import interaction_log
from reco_assets.ranking.decisions import last_distinct
from reco_assets.recommender.state import empty_state
from reco_assets.recommender.types import BOUGHT, RECENT, Int8s, Int32s, Int64s, Policy, Request, UserState

PURCHASES: Final = "purchases"
DISCOVERY: Final = "discovery"
SESSION: Final = "session"
QUESTIONS: Final = (PURCHASES, DISCOVERY, SESSION)
#: An answer holds so many products.
SHOWN: Final = 20
#: A session's answer is made so long after its last event, microseconds.
_THINKS: Final = 1_000_000


@dataclass(frozen=True)
class Events:
    """One person's product events, oldest first: item rows, EventType codes, UTC microseconds."""

    items: Int32s
    kinds: Int8s
    times: Int64s

    def and_then(self, later: Events) -> Events:
        """These, then ``later`` ones."""
        return Events(
            np.concatenate([self.items, later.items]),
            np.concatenate([self.kinds, later.kinds]),
            np.concatenate([self.times, later.times]),
        )


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes
    ----------
    state
        As the service would have it: of the online store, and in a session the events so far.
    whole
        All that the person has done, which no answer of ours is made from: for reference only.
    wanted
        Distinct item rows; -1 for a product that the shop does not know yet, which cannot be found.
    segment
        By the events before the period: see :data:`~benchmarks.quality.periods.SEGMENTS`.
    """

    person: str
    state: UserState
    whole: Events
    request: Request
    now: int
    wanted: Int32s
    segment: str


def policy_of(question: str, policy: Policy) -> Policy:
    """The bundle's policy; of purchases, those that repeat count, so what was bought is not hidden."""
    return replace(policy, hide_bought=False) if question == PURCHASES else policy


def people_of(log: pl.DataFrame, period: Period) -> pl.Series:
    """Distinct ids of those who are asked about and whom the shop has seen before the period."""
    asked = log.filter(pl.col("timestamp").dt.timestamp("us").is_between(period.first, period.last - 1))
    known = before(log, period).select(pl.col("user_id").unique(maintain_order=True))
    return known.join(asked.select(pl.col("user_id").unique()), "user_id", "semi")["user_id"]


class Asked:
    """Makes the questions of one period out of the log and of what the shop knows."""

    def __init__(self, log: pl.DataFrame, period: Period, known: Known) -> None:
        self._log, self._period, self._known = log, period, known
        self.past = interaction_log(before(log, period).lazy(), known.bundle.items)
        """The events before the period, in the item rows of the bundle."""
        self._users = {person: row for row, person in enumerate(self.past.user_ids.to_list())}
        self._bounds = self.past.user_bounds
        ids = known.bundle.items.ids.tolist()
        self._rows = {product: row for row, product in enumerate(ids)}

    def tables(self) -> Mapping[str, pl.DataFrame]:
        """What is asked, by question; nothing is made of it yet."""
        _, steps = session_steps(self._log, self._period)
        return {
            PURCHASES: purchases(self._log, self._period),
            DISCOVERY: discovery(self._log, self._period),
            SESSION: steps,
        }

    def questions(self, name: str, table: pl.DataFrame) -> Iterator[Question]:
        """The questions of the rows of ``table``, which are some of those of :meth:`tables`."""
        if name == SESSION:
            yield from self._steps(table)
            return
        met = table["met"].to_list() if "met" in table.columns else [[]] * len(table)
        for person, wanted, own, segment in zip(
            table["user_id"], table["wanted"].to_list(), met, table["segment"], strict=True
        ):
            exclude = tuple(row for row in self._rows_of(own).tolist() if row >= 0)
            yield Question(
                person=person,
                state=self._state(person),
                whole=self.whole(person),
                request=Request(n=SHOWN, exclude=exclude),
                now=self._known.at,
                wanted=self._rows_of(wanted),
                segment=segment,
            )

    def _steps(self, table: pl.DataFrame) -> Iterator[Question]:
        events, _ = session_steps(self._log, self._period)
        rows = self._rows_of(events["product_id"].to_list())
        kinds = events["event_type"].replace_strict(
            [kind.name for kind in EventType], [int(kind) for kind in EventType], return_dtype=pl.Int8
        )
        all_kinds, times = kinds.to_numpy(), events["timestamp"].dt.timestamp("us").to_numpy()
        for step in table.iter_rows(named=True):
            begin, end = int(step["begin"]), int(step["end"])
            told = np.arange(begin, end)[rows[begin:end] >= 0]
            session = Events(rows[told], all_kinds[told], times[told])
            # the page that is open is no answer to where the visitor goes next, whoever answers
            page = (int(rows[end - 1]),) if rows[end - 1] >= 0 else ()
            yield Question(
                person=step["user_id"],
                state=_followed(self._state(step["user_id"]), session),
                whole=self.whole(step["user_id"]).and_then(session),
                request=Request(n=SHOWN, exclude=page),
                now=int(times[end - 1]) + min(_THINKS, int(times[end] - times[end - 1]) - 1),
                wanted=self._rows_of(step["wanted"]),
                segment=step["segment"],
            )

    def whole(self, person: str) -> Events:
        """All that ``person`` did before the period."""
        row = self._users.get(person)
        if row is None:
            return _NOTHING
        own = slice(int(self._bounds[row]), int(self._bounds[row + 1]))
        return Events(self.past.item[own], self.past.kind[own], self.past.time[own])

    def _state(self, person: str) -> UserState:
        return self._known.states.get(person, empty_state())

    def _rows_of(self, products: Sequence[str]) -> Int32s:
        return np.array([self._rows.get(product, -1) for product in products], np.int32)


def _followed(state: UserState, session: Events) -> UserState:
    """``state`` when the events of a session have reached the online store."""
    bought = session.items[session.kinds == EventType.purchase]
    return replace(
        state,
        items=np.concatenate([state.items, session.items])[-RECENT:],
        kinds=np.concatenate([state.kinds, session.kinds])[-RECENT:],
        times=np.concatenate([state.times, session.times])[-RECENT:],
        bought=last_distinct(np.concatenate([state.bought, bought]), BOUGHT) if len(bought) else state.bought,
    )


_NOTHING: Final = Events(np.empty(0, np.int32), np.empty(0, np.int8), np.empty(0, np.int64))
