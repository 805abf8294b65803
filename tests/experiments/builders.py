"""Experiments in a line."""

from __future__ import annotations

from reco_assets.experiments.board import Board, start
from reco_assets.experiments.definition import LAYER, Experiment, Variant
from reco_assets.experiments.metrics import Guardrail

#: 1 May 2024, UTC microseconds.
NOON = 1_714_564_800_000_000


def experiment(
    name: str, *variants: Variant, layer: str = LAYER, guardrails: tuple[Guardrail, ...] = ()
) -> Experiment:
    """An experiment with a control and ``variants``; one called ``treatment`` where none is named."""
    return Experiment(
        name=name,
        layer=layer,
        variants=(Variant("control"), *(variants or (Variant("treatment"),))),
        guardrails=guardrails,
    )


def started(*experiments: Experiment, shares: tuple[float, ...] = (0.5, 0.5), at: int = NOON) -> Board:
    """A board on which ``experiments`` run, each with the same ``shares``."""
    board = Board()
    for one in experiments:
        board = start(board, one, shares, at)
    return board
