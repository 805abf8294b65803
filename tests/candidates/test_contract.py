"""What every candidate source owes, one body over all of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numba
import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reco_assets.candidates.retriever import History, Retriever, Scratch, history
from reco_assets.candidates.sources import SOURCES
from reco_assets.catalogue.items import ItemTable
from reco_assets.events.contract import EventType
from reco_assets.features.catalogue import SOURCE_SCORES
from tests.candidates.shops import DAY, NOW, Product, click, log, past, random_log, shop

#: The columns of each source's table in the lake.
COLUMNS: Mapping[str, Mapping[str, pl.DataType]] = {
    "also_viewed": {
        "product_id": pl.String(),
        "neighbour_id": pl.String(),
        "rank": pl.Int32(),
        "score": pl.Float32(),
    },
    "bought_together": {
        "product_id": pl.String(),
        "neighbour_id": pl.String(),
        "rank": pl.Int32(),
        "score": pl.Float32(),
    },
    "next_viewed": {
        "product_id": pl.String(),
        "neighbour_id": pl.String(),
        "rank": pl.Int32(),
        "score": pl.Float32(),
    },
    "viewed_then_bought": {
        "product_id": pl.String(),
        "neighbour_id": pl.String(),
        "rank": pl.Int32(),
        "score": pl.Float32(),
    },
    "factors": {"product_id": pl.String(), "factors": pl.List(pl.Float32())},
    "content": {
        "product_id": pl.String(),
        "neighbour_id": pl.String(),
        "rank": pl.Int32(),
        "score": pl.Float32(),
    },
    "repeat": {"product_id": pl.String(), "days": pl.Int32(), "rate": pl.Float32()},
    "habits": {"product_id": pl.String(), "returning": pl.Int32()},
    "complements": {
        "category": pl.String(),
        "product_id": pl.String(),
        "rank": pl.Int32(),
        "score": pl.Float32(),
    },
    "category_popular": {
        "category": pl.String(),
        "product_id": pl.String(),
        "rank": pl.Int32(),
        "score": pl.Float32(),
    },
    "brand_popular": {
        "brand": pl.String(),
        "product_id": pl.String(),
        "rank": pl.Int32(),
        "score": pl.Float32(),
    },
    "trending": {"product_id": pl.String(), "rank": pl.Int32(), "score": pl.Float32()},
    "popular": {"product_id": pl.String(), "rank": pl.Int32(), "score": pl.Float32()},
    "session_neighbours": {"product_id": pl.String(), "occurrences": pl.Int32()},
    "item_item": {
        "product_id": pl.String(),
        "neighbour_id": pl.String(),
        "rank": pl.Int32(),
        "score": pl.Float32(),
    },
}

Histories = st.lists(
    st.tuples(st.integers(0, 59), st.sampled_from(sorted(EventType)), st.integers(0, 400 * DAY)), max_size=30
)


@cache
def some_shop() -> ItemTable:
    words = ("red", "blue", "shoe", "boot", "lamp", "table", "old", "new")
    return shop(
        *(
            Product(
                f"p{n:02d}",
                title=f"{words[n % 8]} {words[n // 8 % 8]} thing",
                category=f"d{n % 3} > c{n % 7}" if n % 5 else None,
                brand=f"b{n % 4}" if n % 6 else None,
            )
            for n in range(60)
        )
    )


@cache
def fitted(source: type[Retriever]) -> Retriever:
    return source.fit(random_log(some_shop(), 40, 2000), some_shop(), NOW)


def as_history(events: list[tuple[int, EventType, int]]) -> History:
    """A history of (item row, kind, microseconds ago); every third item was bought some time, too."""
    return history(
        np.array([item for item, _, _ in events], np.int32),
        np.array([kind for _, kind, _ in events], np.int8),
        np.array(sorted(NOW - ago for _, _, ago in events), np.int64),
        np.array([item for item, _, _ in events[::3]], np.int32),
        NOW,
    )


def answer(
    retriever: Retriever, seen: History, n: int = 20
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """The best ``n`` and the scores of every item."""
    query = retriever.query(seen, Scratch(len(some_shop())))
    return query.top(n), query.score(np.arange(len(some_shop()), dtype=np.int32))


def test_the_ranker_has_one_score_a_source_in_their_order() -> None:
    assert [feature.name for feature in SOURCE_SCORES] == [f"score_{name}" for name in SOURCES]
    assert [source.name for source in SOURCES.values()] == list(SOURCES)


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
class TestEverySource:
    def test_says_what_it_costs(self, source: type[Retriever]) -> None:
        assert source.__doc__
        assert "Cost: " in source.__doc__
        assert "Memory: " in source.__doc__

    @settings(max_examples=60, deadline=None)
    @given(events=Histories, n=st.integers(0, 100))
    def test_proposes_distinct_products_best_first(
        self, source: type[Retriever], events: list[tuple[int, EventType, int]], n: int
    ) -> None:
        query = fitted(source).query(as_history(events), Scratch(60))
        best, everything = query.top(n), query.top(60)
        assert best.dtype == np.int32
        assert len(best) <= n
        assert len(set(best.tolist())) == len(best)
        assert ((best >= 0) & (best < 60)).all()
        assert best.tolist() == everything[:n].tolist()
        scores = query.score(best)
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()
        assert (np.diff(scores) <= 0).all()

    @settings(max_examples=30, deadline=None)
    @given(events=Histories)
    def test_leaves_its_working_memory_clean(
        self, source: type[Retriever], events: list[tuple[int, EventType, int]]
    ) -> None:
        scratch = Scratch(60)
        query = fitted(source).query(as_history(events), scratch)
        query.top(10)
        query.score(np.arange(60, dtype=np.int32))
        assert not scratch.dense.any()
        assert not scratch.seen.any()

    def test_scores_any_products_in_any_order(self, source: type[Retriever]) -> None:
        seen = past(some_shop(), "p03", "p10", "p11")
        _, scores = answer(fitted(source), seen)
        some = np.array([59, 0, 7, 7, 21], np.int32)
        query = fitted(source).query(seen, Scratch(60))
        assert query.score(some).tolist() == scores[some].tolist()

    def test_comes_back_from_its_files_the_same(self, source: type[Retriever], tmp_path: Path) -> None:
        for name, values in fitted(source).arrays().items():
            np.save(tmp_path / f"{name}.npy", values)
        found = {path.stem: np.asarray(np.load(path, mmap_mode="r")) for path in tmp_path.glob("*.npy")}
        again = source.of_arrays(found)
        seen = past(some_shop(), "p03", "p10", "p11")
        for one, other in zip(answer(fitted(source), seen), answer(again, seen), strict=True):
            np.testing.assert_array_equal(one, other)
        assert again.table(some_shop()).equals(fitted(source).table(some_shop()))

    def test_learns_the_same_from_the_same_log(self, source: type[Retriever]) -> None:
        again = source.fit(random_log(some_shop(), 40, 2000), some_shop(), NOW).arrays()
        for name, values in fitted(source).arrays().items():
            np.testing.assert_array_equal(values, again[name], strict=True)

    def test_learns_the_same_on_one_core(self, source: type[Retriever]) -> None:
        threads = numba.get_num_threads()
        numba.set_num_threads(1)
        try:
            again = source.fit(random_log(some_shop(), 40, 2000), some_shop(), NOW).arrays()
        finally:
            numba.set_num_threads(threads)
        for name, values in fitted(source).arrays().items():
            np.testing.assert_array_equal(values, again[name], strict=True)

    def test_has_an_answer_for_nobody(self, source: type[Retriever]) -> None:
        best, scores = answer(fitted(source), past(some_shop()))
        personal = source.name not in ("popular", "trending")
        assert len(best) == (0 if personal else 20)
        assert scores.any() == (not personal)

    def test_learns_from_an_empty_log(self, source: type[Retriever]) -> None:
        retriever = source.fit(log(some_shop()), some_shop(), NOW)
        best, scores = answer(retriever, past(some_shop(), "p01", "p02"))
        assert np.isfinite(scores).all()
        assert len(set(best.tolist())) == len(best)
        assert retriever.table(some_shop()).schema == COLUMNS[source.name]

    @pytest.mark.parametrize("size", [0, 1])
    def test_serves_a_catalogue_of(self, source: type[Retriever], size: int) -> None:
        items = shop(*["only"][:size])
        retriever = source.fit(log(items), items, NOW)
        query = retriever.query(past(items, *["only"][:size]), Scratch(size))
        assert len(query.top(5)) <= size
        assert len(query.score(np.arange(size, dtype=np.int32))) == size

    def test_forgives_a_product_that_nobody_touched(self, source: type[Retriever]) -> None:
        items = shop("touched", "untouched")
        retriever = source.fit(log(items, *(click(user, "touched") for user in "uvw")), items, NOW)
        query = retriever.query(past(items, "untouched"), Scratch(2))
        assert np.isfinite(query.score(query.top(2))).all()

    def test_forgives_events_of_a_century_ago(self, source: type[Retriever]) -> None:
        items = shop("a", "b", "c")
        ancient = log(items, *(click(user, item, ago=36_500) for user in "uvw" for item in "ab"))
        retriever = source.fit(ancient, items, NOW)
        query = retriever.query(past(items, "a"), Scratch(3))
        best = query.top(3)
        assert len(set(best.tolist())) == len(best)
        assert np.isfinite(query.score(best)).all()

    def test_has_a_table_that_a_person_can_read(self, source: type[Retriever]) -> None:
        table = fitted(source).table(some_shop())
        assert table.schema == COLUMNS[source.name]
        ids = set(some_shop().ids.tolist())
        for column in ("product_id", "neighbour_id"):
            if column in table.columns:
                assert set(table[column]) <= ids
        if "rank" in table.columns:
            within = [name for name in table.columns if name in ("neighbour_id", "category", "brand")]
            group = ["product_id"] if "neighbour_id" in within else within
            ranks = table.group_by(group or pl.lit(1), maintain_order=True).agg("rank", "score")
            for rank, score in ranks.select("rank", "score").iter_rows():
                assert rank == list(range(len(rank)))
                assert score == sorted(score, reverse=True)
