"""Hyper-parameters are looked for within a time, and kept in a file that the next retraining reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from reco_assets.errors import BadInput
from reco_assets.features.catalogue import RANKING_FEATURES, names
from reco_assets.ranking.examples import Examples
from reco_assets.ranking.lambdamart import RankerParameters, train_ranker
from reco_assets.ranking.parameters import read_parameters, write_parameters
from reco_assets.ranking.search import Attempt, best, drawn, search

SMALL = RankerParameters(rounds=5, patience=5)
RATING = names(RANKING_FEATURES).index("product_avg_rating")


def examples(seed: int, liked: float = -1.0) -> Examples:
    """Decisions of ten candidates; who is chosen follows the rating, downwards where ``liked`` is below 0."""
    dice = np.random.default_rng(seed)
    features = dice.random((2_000, len(RANKING_FEATURES)), np.float32)
    grade = np.zeros(len(features), np.int8)
    for first in range(0, len(features), 10):
        grade[first + np.argmax(liked * features[first : first + 10, RATING])] = 1
    moments = np.arange(200)
    return Examples(
        features,
        grade,
        np.repeat(moments, 10).astype(np.int32),
        np.zeros(len(features), np.int32),
        moments.astype(np.int64),
        moments.astype(np.int32),
    )


def ticking(step: float) -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += step


def test_what_is_used_now_is_tried_first_and_the_rest_is_the_same_for_a_seed() -> None:
    one, same, other = (list(islice(drawn(SMALL, seed), 5)) for seed in (1, 1, 2))
    assert one[0] == SMALL
    assert one == same != other


def test_the_search_ends_in_time_and_tells_of_each_attempt() -> None:
    clock, heard = ticking(10.0), list[Attempt]()
    found = search(examples(1), examples(2), SMALL, 100.0, 1, told=heard.append, clock=lambda: next(clock))
    assert heard == found
    assert 1 < len(found) <= 4
    assert best(found).ndcg == max(one.ndcg for one in found)


def test_one_attempt_is_made_however_little_time_there_is() -> None:
    assert [one.parameters for one in search(examples(1), examples(2), SMALL, 0.0, 1)] == [SMALL]


def test_of_equals_the_earlier_is_kept() -> None:
    attempts = [Attempt(replace(SMALL, max_depth=depth), 0.5, 1, 1.0) for depth in (3, 4)]
    assert best(attempts).parameters.max_depth == 3


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "home" / "ranker.toml"
    told = replace(SMALL, learning_rate=0.03, upon_blend=False, rising=("product_price",))
    write_parameters(path, told, "found by a test")
    assert read_parameters(path) == told
    assert path.read_text().startswith("# found by a test\n")
    assert read_parameters(tmp_path / "nowhere.toml") == RankerParameters()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("depth = 3", "there is no 'depth'"),
        ("max_depth = 'deep'", "max_depth is 'deep'"),
        ("max_depth = true", "max_depth is True"),
        ("learning_rate = -1", "learning_rate is -1"),
        ("rising = ['height']", "rising names height"),
        ("= 3", "reading"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "ranker.toml"
    path.write_text(text)
    with pytest.raises(BadInput, match=message):
        read_parameters(path)


def test_a_rising_feature_never_lowers_the_score_whatever_examples_say() -> None:
    train, held = examples(1), examples(2)
    probe = np.repeat(examples(3).features[:1], 11, axis=0)
    probe[:, RATING] = np.linspace(0.0, 1.0, 11)
    free, bound = (
        train_ranker(train, held, replace(SMALL, rising=rising), 1).ranker.score(probe)
        for rising in ((), ("product_avg_rating",))
    )
    assert free[-1] < free[0]
    assert (np.diff(bound) >= 0.0).all()
