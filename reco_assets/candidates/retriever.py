"""What any candidate source owes: fit on a log, open a query for one history, propose and score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from reco_assets.candidates.fit_kernels import group_rows
from reco_assets.candidates.kernels import scores_of, top_rows
from reco_assets.catalogue.items import ItemTable
from reco_assets.events.contract import EventType
from reco_assets.interactions.log import InteractionLog
from reco_assets.recommender.types import NO_HABITS, Habits

Int8s = npt.NDArray[np.int8]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Arrays = Mapping[str, npt.NDArray[np.generic]]

#: How much an event says about what a person wants, by EventType code.
EVENT_WEIGHTS: Final = np.array([1.0, 2.0, 0.0, 3.0, 2.0, 1.0, 0.0, 0.0], np.float32)
#: A history event counts exp(-rank / RANK_DECAY), rank 0 being the newest.
RANK_DECAY: Final = 4.0


@dataclass(frozen=True)
class History:
    """One person's product events at one moment, oldest first, with what each counts.

    Attributes
    ----------
    items, kinds, times
        Item rows, :class:`EventType` codes and UTC microseconds.
    weights
        ``float32[n]``: event weight x recency by rank.
    bought
        Item rows bought before, older than ``items`` reaches too.
    now
        UTC microseconds.
    habits
        What the person keeps coming back to.
    """

    items: Int32s
    kinds: Int8s
    times: Int64s
    weights: Floats
    bought: Int32s
    now: int
    habits: Habits = NO_HABITS

    @cached_property
    def known(self) -> Int32s:
        """Distinct item rows that the person has had to do with, rising: recent ones and bought ones."""
        return np.unique(np.concatenate([self.items, self.bought]))

    @cached_property
    def newest(self) -> tuple[Int32s, Int64s]:
        """Distinct rows of ``items``, the newest first, and how many events came after the last of each."""
        distinct, last = np.unique(self.items[::-1], return_index=True)
        order = np.argsort(last)
        return distinct[order], last[order]


def history(
    items: Int32s, kinds: Int8s, times: Int64s, bought: Int32s, now: int, habits: Habits = NO_HABITS
) -> History:
    """The history of ``items`` (oldest first) as retrievers read it."""
    ranks = np.arange(len(items) - 1, -1, -1, dtype=np.float32)
    weights = EVENT_WEIGHTS[kinds] * np.exp(ranks / np.float32(-RANK_DECAY))
    return History(items, kinds, times, weights, bought, now, habits)


class Query(Protocol):
    """One source's view of one history."""

    def top(self, n: int) -> Int32s:
        """Up to ``n`` distinct item rows, best first."""
        ...

    def score(self, items: Int32s) -> Floats:
        """The source's score of any ``items``, ``float32[n]``; 0 where it has nothing to say."""
        ...


class Retriever(Protocol):
    """A candidate source. Fitted once, immutable, bounded in memory, made of arrays.

    Attributes
    ----------
    blend
        How much the source's word counts where no ranker has learned it.
    similar
        The same for products like one product.
    reason
        What a shopper may be told; ``{because}`` is a product of the history, ``{category}`` the
        product's own.
    one_core
        Its fit keeps one core busy for long and leaves the others alone: it is fitted beside the rest.
    """

    name: ClassVar[str]
    blend: ClassVar[float]
    similar: ClassVar[float]
    reason: ClassVar[str]
    one_core: ClassVar[bool]

    @classmethod
    def fit(cls, log: InteractionLog, items: ItemTable, now: int) -> Self:
        """Learn from the events of ``log``, all before ``now`` (UTC microseconds)."""
        ...

    def query(self, history: History, scratch: Scratch) -> Query:
        """Open a query for one history."""
        ...

    def arrays(self) -> Arrays:
        """What the source is made of, by name."""
        ...

    @classmethod
    def of_arrays(cls, arrays: Arrays) -> Self:
        """The source that :meth:`arrays` took apart."""
        ...

    def table(self, items: ItemTable) -> pl.DataFrame:
        """The source as rows that a person can read in the lake."""
        ...


class Stored:
    """A source that is a dataclass of arrays and nothing else: how it is taken apart and put together."""

    one_core: ClassVar[bool] = False

    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, Field[object]]]

    def arrays(self) -> Arrays:
        """The fields by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def of_arrays(cls, arrays: Arrays) -> Self:
        """From the fields by name."""
        return cls(**{field.name: arrays[field.name] for field in fields(cls)})


class Scratch:
    """Working memory of one answer at a time, which one source after the other sums its scores in.

    Attributes
    ----------
    dense
        ``float32[n_items]``, all zero whenever no kernel is at work.
    touched
        ``int32[n_items + 1]``: room for the rows that a kernel writes, and for one that it takes back.
    seen
        ``bool[n_items]``, all false in between as well.
    """

    def __init__(self, n_items: int) -> None:
        self.dense: Floats = np.zeros(n_items, np.float32)
        self.touched: Int32s = np.empty(n_items + 1, np.int32)
        self.seen: npt.NDArray[np.bool_] = np.zeros(n_items, np.bool_)


@dataclass(frozen=True)
class SparseQuery:
    """A query of a source that has something to say of some products.

    Attributes
    ----------
    rows, scores
        ``int32[n]`` distinct item rows in no order, and ``float32[n]``: the score of each, never 0.
    scratch
        Memory to find the scores of given items in.
    """

    rows: Int32s
    scores: Floats
    scratch: Scratch

    def top(self, n: int) -> Int32s:
        """Up to ``n`` best."""
        return top_rows(self.rows, self.scores, n)

    def score(self, items: Int32s) -> Floats:
        """Scores as accumulated."""
        return scores_of(items, self.rows, self.scores, self.scratch.dense)


@dataclass(frozen=True)
class ListQuery:
    """A query with the same answer for everybody: a ranked list and a score an item."""

    ranked: Int32s
    scores: Floats

    def top(self, n: int) -> Int32s:
        """The head of the list."""
        return self.ranked[:n]

    def score(self, items: Int32s) -> Floats:
        """The items' scores."""
        return self.scores[items]


def by_item(log: InteractionLog) -> tuple[Int64s, Int64s]:
    """Inverted index of a log: ``(ptr int64[n_items + 1], postings int64[n])``, oldest first an item."""
    return group_rows(log.item, log.in_time, log.n_items)


def of_kind(log: InteractionLog, *kinds: EventType) -> InteractionLog:
    """The events of the given types."""
    return log.where(np.isin(log.kind, [int(kind) for kind in kinds]))
