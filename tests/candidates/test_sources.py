"""The union of the sources: fair turns, nothing twice, nothing blocked, as long as the catalogue allows."""

from __future__ import annotations

from functools import cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from reco_assets.candidates.retriever import History, Retriever
from reco_assets.candidates.sources import BLEND, SOURCES, Candidates, Sources
from reco_assets.catalogue.items import ItemTable
from tests.candidates.shops import NOW, Product, past, random_log, shop

SIZE = 50


@cache
def items() -> ItemTable:
    return shop(
        *(Product(f"p{n:02d}", title=f"kind{n % 9} thing", category=f"c{n % 6}") for n in range(SIZE))
    )


@cache
def sources() -> Sources:
    return Sources.fit(random_log(items(), 30, 800), items(), NOW)


Seen = st.lists(st.integers(0, SIZE - 1), max_size=20).map(
    lambda rows: past(items(), *(f"p{row:02d}" for row in rows))
)
Blocked = st.lists(st.integers(0, SIZE - 1), max_size=60)


@settings(max_examples=100, deadline=None)
@given(seen=Seen, blocked=Blocked, most=st.integers(1, 80))
def test_as_many_as_the_catalogue_allows_and_never_a_blocked_one(
    seen: History, blocked: list[int], most: int
) -> None:
    scratch = sources().scratch()
    found = sources().candidates(seen, np.array(blocked, np.int32), most, scratch)
    rows = found.items.tolist()
    assert len(rows) == min(most, SIZE - len(set(blocked)))
    assert len(set(rows)) == len(rows)
    assert not set(rows) & set(blocked)
    assert not scratch.dense.any()
    assert not scratch.seen.any()


@settings(max_examples=50, deadline=None)
@given(seen=Seen)
def test_every_candidate_has_every_sources_score(seen: History) -> None:
    found = propose(seen)
    assert found.scores.shape == (len(found.items), len(SOURCES))
    for column, retriever in enumerate(sources().retrievers.values()):
        query = retriever.query(seen, sources().scratch())
        np.testing.assert_array_equal(found.scores[:, column], query.score(found.items))


@settings(max_examples=50, deadline=None)
@given(seen=Seen)
def test_each_sources_best_is_in_before_anybodys_second(seen: History) -> None:
    best = {row for retriever in sources().retrievers.values() for row in head(retriever, seen)}
    assert set(propose(seen).items[: len(best)].tolist()) == best


def head(retriever: Retriever, seen: History) -> list[int]:
    query = retriever.query(seen, sources().scratch())
    return [int(row) for row in query.top(1)]


def propose(seen: History) -> Candidates:
    return sources().candidates(seen, np.empty(0, np.int32), SIZE, sources().scratch())


@settings(max_examples=50, deadline=None)
@given(seen=Seen)
def test_what_a_source_proposes_is_counted_whoever_else_proposes_it(seen: History) -> None:
    queries = {
        name: retriever.query(seen, sources().scratch()) for name, retriever in sources().retrievers.items()
    }
    lists = {name: query.top(SIZE).tolist() for name, query in queries.items()}
    assert propose(seen).proposed == {name: len(rows) for name, rows in lists.items()}
    only, none = np.array([41, 42, 43], np.int32), np.empty(0, np.int32)
    even = np.arange(SIZE) % 2 == 0
    limited = sources().candidates(seen, none, SIZE, sources().scratch(), only, even)
    assert limited.proposed == {name: sum(row % 2 == 0 for row in rows) for name, rows in lists.items()}


def test_a_further_list_takes_the_first_turn() -> None:
    only = np.array([41, 42, 43], np.int32)
    found = sources().candidates(past(items(), "p00"), np.empty(0, np.int32), 10, sources().scratch(), only)
    assert found.items[0] == 41
    assert {41, 42} <= set(found.items.tolist())


def test_the_same_scratch_serves_one_request_after_another() -> None:
    scratch = sources().scratch()
    none = np.empty(0, np.int32)
    alone = [
        sources().candidates(past(items(), f"p{n:02d}"), none, 40, sources().scratch()) for n in range(9)
    ]
    after = [sources().candidates(past(items(), f"p{n:02d}"), none, 40, scratch) for n in range(9)]
    for one, other in zip(alone, after, strict=True):
        np.testing.assert_array_equal(one.items, other.items)
        np.testing.assert_array_equal(one.scores, other.scores)


def test_the_whole_set_comes_back_from_its_arrays() -> None:
    again = Sources.of_arrays(sources().arrays(), SIZE)
    seen = past(items(), "p03", "p30")
    found = again.candidates(seen, np.empty(0, np.int32), SIZE, again.scratch())
    np.testing.assert_array_equal(found.items, propose(seen).items)
    np.testing.assert_array_equal(found.scores, propose(seen).scores)


def test_progress_is_told_by_name() -> None:
    told: list[str] = []
    Sources.fit(random_log(items(), 3, 10), items(), NOW, told.append)
    assert told == list(SOURCES)


def test_each_source_has_a_weight_in_the_blend() -> None:
    assert len(BLEND) == len(SOURCES)


def test_popular_is_last_since_it_fills_what_is_left() -> None:
    assert list(SOURCES)[-1] == "popular"
    assert len(propose(past(items())).items) == SIZE
