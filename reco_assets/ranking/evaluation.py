"""Judging recommenders on the same decisions, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from reco_assets.candidates.retriever import History, Retriever, Scratch
from reco_assets.candidates.sources import BLEND as EVEN
from reco_assets.candidates.sources import SOURCES
from reco_assets.ranking.metrics import Scoreboard
from reco_assets.ranking.replay import Moment
from reco_assets.ranking.stage import Stage, over
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.recommend import blocked_items, current_history, recommend
from reco_assets.recommender.types import Floats, Policy, Request, UserState

Int32s = npt.NDArray[np.int32]

#: How many products an answer under evaluation holds.
SHOWN: Final = 20
FULL: Final = "full"
BLEND: Final = "blend"


def one_source(name: str) -> Floats:
    """Blend weights that rank by one source; where it has nothing to say, the blend of all decides."""
    weights = np.array(EVEN, np.float32) * np.float32(1e-3)
    weights[list(SOURCES).index(name)] = 1.0
    return weights


def answers(bundle: Bundle, policy: Policy, moment: Moment) -> dict[str, Int32s]:
    """What the full recommender, the blend and every source alone would have shown."""
    request = Request(n=SHOWN)
    shown = {}
    named = {FULL: bundle, BLEND: replace(bundle, ranker=None)}
    for name, recommender in named.items():
        shown[name] = recommended(request, moment.state, recommender, policy, moment.now)
    past = current_history(request, moment.state, moment.now)
    blocked = blocked_items(request, past, bundle, policy)
    with bundle.scratch() as scratch:
        for name, retriever in bundle.sources.retrievers.items():
            shown[name] = proposed(retriever, past, blocked, SHOWN, scratch)
    return shown


def recommended(request: Request, state: UserState, bundle: Bundle, policy: Policy, now: int) -> Int32s:
    """Item rows that ``bundle`` answers with, best first."""
    decision = recommend(request, state, bundle, policy.settled, now)
    return np.array([one.item for one in decision.recommendations], np.int32)


def proposed(retriever: Retriever, past: History, blocked: Int32s, n: int, scratch: Scratch) -> Int32s:
    """Up to ``n`` item rows of one source alone, none of them ``blocked``, best first."""
    top = retriever.query(past, scratch).top(n + len(blocked))
    free = np.ones(len(scratch.seen), np.bool_)
    free[blocked] = False
    return top[free[top]][:n]


def evaluate(
    stage: Stage, policy: Policy, threads: int, also: Mapping[str, Sequence[Int32s]] = MappingProxyType({})
) -> Scoreboard:
    """Play every decision of ``stage`` that has an outcome, with so many processes (0: every core).

    ``also`` holds further recommenders' answers to each decision of ``stage``.
    """
    return Scoreboard.joined(over(stage, partial(_played, policy=policy, also=dict(also)), threads))


def evaluate_served(stage: Stage, name: str, policy: Policy, threads: int) -> Scoreboard:
    """The same of the bundle of ``stage`` alone, which is called ``name``."""
    return Scoreboard.joined(over(stage, partial(_served, name=name, policy=policy), threads))


def _served(stage: Stage, name: str, policy: Policy) -> Scoreboard:
    board = Scoreboard()
    request = Request(n=SHOWN)
    for moment in stage.walk():
        if len(moment.outcome.items):
            shown = recommended(request, moment.state, stage.bundle, policy, moment.now)
            board.add({name: shown}, moment.outcome.items)
    return board


def _played(stage: Stage, policy: Policy, also: Mapping[str, Sequence[Int32s]]) -> Scoreboard:
    board = Scoreboard()
    for moment in stage.walk():
        if len(moment.outcome.items):
            theirs = {name: shown[moment.number] for name, shown in also.items()}
            board.add({**answers(stage.bundle, policy, moment), **theirs}, moment.outcome.items)
    return board
