"""All candidate sources together: the one list of them, and the union of what they propose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from reco_assets.candidates.complements import Complements
from reco_assets.candidates.content import ContentNeighbours
from reco_assets.candidates.covisitation import (
    AlsoViewed,
    BoughtTogether,
    Neighbours,
    NextViewed,
    ViewedThenBought,
)
from reco_assets.candidates.factors import Factors
from reco_assets.candidates.habits import HabitSource
from reco_assets.candidates.item_item import ItemItem
from reco_assets.candidates.kernels import union
from reco_assets.candidates.popular import BrandPopular, CategoryPopular, Popular
from reco_assets.candidates.repeat import Repeat
from reco_assets.candidates.retriever import Arrays, Floats, History, Int32s, Retriever, Scratch
from reco_assets.candidates.session_neighbours import SessionNeighbours
from reco_assets.candidates.trending import Trending
from reco_assets.catalogue.items import ItemTable
from reco_assets.interactions.log import InteractionLog

#: Every source, in the order of the columns of the candidates' scores; the last fills the list.
SOURCES: Final[Mapping[str, type[Retriever]]] = {
    source.name: source
    for source in (
        AlsoViewed,
        NextViewed,
        ViewedThenBought,
        BoughtTogether,
        SessionNeighbours,
        ItemItem,
        Factors,
        ContentNeighbours,
        Repeat,
        HabitSource,
        Complements,
        CategoryPopular,
        BrandPopular,
        Trending,
        Popular,
    )
}

#: How much each source's word counts where no ranker has learned it: the personal ones most.
BLEND: Final = tuple(source.blend for source in SOURCES.values())

#: The same for products like one product: what links the two counts; popularity only fills the list.
SIMILAR: Final = tuple(source.similar for source in SOURCES.values())

#: The sources whose word is also told product by product of the history, in the order of the features.
LINKED: Final = (AlsoViewed.name, NextViewed.name)

#: How many candidates each source may propose, at the most; popular fills what is left.
QUOTA: Final = 120


@dataclass(frozen=True)
class Candidates:
    """The union of what the sources proposed.

    Attributes
    ----------
    items
        ``int32[n]`` distinct item rows.
    scores
        ``float32[n, len(SOURCES)]``; 0 where a source has nothing to say of the item.
    proposed
        How long each source's own list was, of what is allowed: several may propose the same item, and
        what is blocked is still in it. Empty where ``items`` were given.
    """

    items: Int32s
    scores: Floats
    proposed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Sources:
    """One fitted retriever a source, all over the same item table."""

    retrievers: Mapping[str, Retriever]
    n_items: int

    @classmethod
    def fit(
        cls,
        log: InteractionLog,
        items: ItemTable,
        now: int,
        progress: Callable[[str], None] = lambda name: None,
    ) -> Self:
        """Fit every source on the events of ``log``, all before ``now``; ``progress`` hears each name.

        Those that work on one core are fitted beside the others, which take what is left.
        """
        fitted: dict[str, Retriever] = {}
        with ThreadPoolExecutor(1) as beside:
            alone = {
                name: beside.submit(source.fit, log, items, now)
                for name, source in SOURCES.items()
                if source.one_core
            }
            for name, source in SOURCES.items():
                progress(name)
                fitted[name] = alone[name].result() if name in alone else source.fit(log, items, now)
        return cls(fitted, len(items))

    def scratch(self) -> Scratch:
        """Working memory for one answer at a time."""
        return Scratch(self.n_items)

    def candidates(
        self,
        history: History,
        blocked: Int32s,
        most: int,
        scratch: Scratch,
        only: Int32s | None = None,
        allowed: npt.NDArray[np.bool_] | None = None,
        first: Int32s | None = None,
    ) -> Candidates:
        """Propose up to ``most`` distinct items, none of them ``blocked``, with every source's score.

        ``only`` adds a further list in front, for a request that is limited. Of all lists, what ``allowed``
        (``bool[n_items]``) does not have is left out; ``only`` then has to make up for it. The distinct items
        ``first`` are the first candidates, whether anything proposes, blocks or allows them or not.
        The sources take turns, so that each gets its best in; popular ends the list, so the
        union is as long as the catalogue allows.
        """
        queries = [retriever.query(history, scratch) for retriever in self.retrievers.values()]
        lists = [query.top(QUOTA) for query in queries[:-1]]
        lists.append(queries[-1].top(most + len(blocked) if allowed is None else QUOTA))
        if only is not None:
            lists.insert(0, only)
        ends, listed = np.cumsum([len(part) for part in lists]), np.concatenate(lists)
        if allowed is not None:
            kept = allowed[listed]
            ends, listed = np.concatenate([[0], np.cumsum(kept)])[ends], listed[kept]
        items = union(listed, ends, blocked, scratch.seen, most)
        if first is not None:
            items = np.concatenate([first, items[~np.isin(items, first)]])
        scores = np.empty((len(items), len(queries)), np.float32)
        for column, query in enumerate(queries):
            scores[:, column] = query.score(items)
        places = ends.tolist()
        lengths = [end - begun for begun, end in zip([0, *places], places, strict=False)]
        return Candidates(items, scores, dict(zip(self.retrievers, lengths[-len(queries) :], strict=True)))

    def links(self, history: History, items: Int32s, scratch: Scratch) -> Floats:
        """What single products of the history say of ``items`` by each source of ``LINKED``.

        Returns ``float32[n, 3 len(LINKED)]``: see :meth:`Neighbours.links`.
        """
        found = np.zeros((len(items), 3 * len(LINKED)), np.float32)
        for at, name in enumerate(LINKED):
            source = self.retrievers[name]
            if isinstance(source, Neighbours):
                source.links(history, items, scratch, found, 3 * at)
        return found

    def scores(self, history: History, items: Int32s, scratch: Scratch) -> Floats:
        """Every source's score of exactly ``items``, ``float32[n, len(SOURCES)]``."""
        scores = np.empty((len(items), len(self.retrievers)), np.float32)
        for column, retriever in enumerate(self.retrievers.values()):
            scores[:, column] = retriever.query(history, scratch).score(items)
        return scores

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Every source's arrays as ``source.array``."""
        return {
            f"{name}.{array}": values
            for name, retriever in self.retrievers.items()
            for array, values in retriever.arrays().items()
        }

    @classmethod
    def of_arrays(cls, arrays: Arrays, n_items: int) -> Self:
        """From what :meth:`arrays` took apart."""
        fitted: dict[str, Retriever] = {}
        for name, source in SOURCES.items():
            own = {key.split(".", 1)[1]: value for key, value in arrays.items() if key.startswith(f"{name}.")}
            fitted[name] = source.of_arrays(own)
        return cls(fitted, n_items)
