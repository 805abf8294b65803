"""A given list in a user's order: the ranker of the service, over exactly this list."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from reco_assets.recommender.recommend import features_of, propose
from reco_assets.recommender.reranked import reranked
from reco_assets.recommender.types import Policy, Request
from tests.candidates.shops import NOW
from tests.recommender.shops import Shape, bundle, state

SHAPE = Shape(products=40, categories=3, events=200, sold_out=0.1, with_ranker=True, seed=1)
ANN = state(40, [3, 9, 12], [0, 1, 0], [7])


@settings(deadline=None)
@given(order=st.permutations(range(40)), size=st.integers(1, 40), with_ranker=st.booleans())
def test_everything_comes_back_once_and_in_the_order_of_its_scores(
    order: list[int], size: int, with_ranker: bool
) -> None:
    own = bundle(Shape(40, 3, 200, 0.1, with_ranker, 1))
    asked = np.array(order[:size], np.int32)
    found = reranked(asked, Request(), ANN, own, NOW)
    assert sorted(one.item for one in found) == sorted(asked.tolist())
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)
    again = reranked(asked[::-1], Request(), ANN, own, NOW)
    assert {one.item: one.score for one in again} == {one.item: one.score for one in found}


def test_the_candidates_of_an_answer_get_the_scores_of_that_answer() -> None:
    own = bundle(SHAPE)
    request = Request(n=20)
    past, candidates = propose(request, ANN, own, Policy(), NOW)
    assert own.ranker is not None
    scores = own.ranker.score(features_of(request, ANN, past, candidates, own, NOW))
    found = reranked(candidates.items, request, ANN, own, NOW)
    assert {one.item: np.float32(one.score) for one in found} == dict(
        zip(candidates.items.tolist(), scores, strict=True)
    )
