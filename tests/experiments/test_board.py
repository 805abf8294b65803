"""What experiments allow: no user in two of a layer, nobody moved, layers that decide on different things."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reco_assets.errors import BadInput
from reco_assets.experiments.assignment import held
from reco_assets.experiments.board import Board, drop, ramp, start, stop
from reco_assets.experiments.definition import BUCKETS, Experiment, Variant
from tests.experiments.builders import NOON, experiment, started

shares = st.floats(0.01, 0.3).map(lambda share: round(share, 4))


def overlaps(board: Board, layer: str) -> bool:
    """Whether any bucket of a layer is held twice."""
    masks = [held(v.buckets) for one in board.running if one.layer == layer for v in one.variants]
    return bool((np.sum(masks, axis=0) > 1).any())


def buckets(board: Board, name: str, variant: str) -> set[int]:
    return set(held(board.experiment(name).variant(variant).buckets).nonzero()[0].tolist())


@given(shares, shares, shares, shares)
def test_experiments_of_a_layer_never_overlap(a: float, b: float, c: float, d: float) -> None:
    board = start(Board(), experiment("one"), (a, b), NOON)
    board = start(board, experiment("two"), (c / 2, d / 2), NOON)
    board = ramp(board, "one", {"treatment": min(0.999 - a - c / 2 - d / 2, 1.5 * b)}, NOON + 1)
    assert not overlaps(board, "main")
    assert board.experiment("one").control.size == round(a * BUCKETS)


@given(shares, shares, shares)
def test_ramping_up_moves_nobody_between_variants(control: float, before: float, after: float) -> None:
    one = started(experiment("x", Variant("blue"), Variant("green")), shares=(control, before, 0.05))
    other = ramp(one, "x", {"blue": after}, NOON + 5)
    assert buckets(one, "x", "control") == buckets(other, "x", "control")
    assert buckets(one, "x", "green") == buckets(other, "x", "green")
    smaller, larger = sorted([buckets(one, "x", "blue"), buckets(other, "x", "blue")], key=len)
    assert smaller <= larger
    assert (other.experiment("x").phase, other.experiment("x").changed_at) == (2, NOON + 5)


def test_what_the_control_gives_up_is_not_given_to_a_variant_in_the_same_step() -> None:
    board = started(experiment("x"))
    with pytest.raises(BadInput, match="are free"):
        ramp(board, "x", {"control": 0.4, "treatment": 0.6}, NOON)


def test_a_full_layer_takes_nobody_until_an_experiment_stops() -> None:
    board = started(experiment("x"))
    with pytest.raises(BadInput, match=r"0\.00% are free"):
        start(board, experiment("y"), (0.5, 0.5), NOON)
    board = start(stop(board, "x", "done", NOON + 1), experiment("y"), (0.5, 0.5), NOON + 2)
    assert [one.name for one in board.running] == ["y"]
    assert board.version == 3


def test_layers_that_would_decide_on_the_same_thing_are_refused() -> None:
    board = started(experiment("x", Variant("varied", policy={"diversity": 0.3})))
    with pytest.raises(BadInput, match="both set diversity"):
        start(
            board, experiment("y", Variant("v", policy={"diversity": 0.5}), layer="other"), (0.5, 0.5), NOON
        )
    board = start(board, experiment("y", Variant("v", "7"), layer="other"), (0.5, 0.5), NOON)
    with pytest.raises(BadInput, match="both choose the bundle"):
        start(board, experiment("z", Variant("v", "8"), layer="third"), (0.5, 0.5), NOON)


def test_dropping_a_variant_leaves_the_others_and_dropping_the_last_stops() -> None:
    board = started(experiment("x", Variant("blue"), Variant("green")), shares=(0.4, 0.3, 0.3))
    fewer = drop(board, "x", "blue", "slow", NOON + 1)
    assert fewer.experiment("x").running
    assert buckets(fewer, "x", "blue") == set()
    assert buckets(fewer, "x", "green") == buckets(board, "x", "green")
    assert fewer.experiment("x").phase == 1
    ended = drop(fewer, "x", "green", "slow too", NOON + 2).experiment("x")
    assert (ended.stopped_at, ended.reason) == (NOON + 2, "slow too")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (Experiment(name="Bad name", variants=(Variant("a"), Variant("b"))), "cannot be a name"),
        (Experiment(name="x", variants=(Variant("a"),)), "name two or more"),
        (Experiment(name="x", variants=(Variant("a"), Variant("a"))), "each once"),
        (experiment("x", Variant("b", policy={"diversty": 0.2})), "no field 'diversty'"),
        (experiment("x", Variant("b", policy={"diversity": True})), "cannot be used"),
        (experiment("x", Variant("b", policy={"diversity": 2.0})), "diversity is 2"),
    ],
)
def test_what_cannot_be_run_is_refused(wrong: Experiment, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        start(Board(), wrong, [1 / len(wrong.variants)] * len(wrong.variants), NOON)
