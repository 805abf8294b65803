"""Asking every recommender every question, one after the other, as the service would."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from benchmarks.quality.intervals import bootstrap_intervals
from benchmarks.quality.learning import Learned
from benchmarks.quality.tasks import ASKED, Task
from reco_assets.candidates.retriever import Retriever, history
from reco_assets.candidates.sources import BLEND as EVEN
from reco_assets.ranking.evaluation import BLEND, FULL, proposed, recommended
from reco_assets.ranking.metrics import ranking_metrics
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.types import Request, UserState

Int32s = npt.NDArray[np.int32]
Answer = Callable[[UserState], Int32s]

_SEED = 7
_WARM_UP = 20


@dataclass(frozen=True)
class Score:
    """A metric's mean over the questions, and its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """One recommender's result; ``answer_ms`` is the mean time of an answer."""

    scores: Mapping[str, Score]
    fit_seconds: float
    answer_ms: float
    answer_p99_ms: float


def answerers(task: Task, learned: Learned, n: int) -> dict[str, Answer]:
    """Full recommender, blend, popularity and every source alone, as functions of a person's state."""
    bundle = learned.bundle
    plain = replace(bundle, ranker=None, manifest=replace(bundle.manifest, blend=EVEN))
    retrievers = {**learned.others, **bundle.sources.retrievers}
    return {
        FULL: _bundle(bundle, n),
        BLEND: _bundle(plain, n),
        **{name: _alone(retriever, bundle, task.recent, n) for name, retriever in retrievers.items()},
    }


def _bundle(bundle: Bundle, n: int) -> Answer:
    request = Request(n=n)
    return lambda state: recommended(request, state, bundle, bundle.policy, ASKED)


def _alone(retriever: Retriever, bundle: Bundle, recent: int, n: int) -> Answer:
    def answer(state: UserState) -> Int32s:
        items, kinds, times = state.items[-recent:], state.kinds[-recent:], state.times[-recent:]
        past = history(items, kinds, times, state.bought, ASKED)
        with bundle.scratch() as scratch:
            return proposed(retriever, past, state.bought, n, scratch)

    return answer


def judge(
    task: Task, learned: Learned, most: int | None, progress: Callable[[str], None]
) -> tuple[dict[str, Row], int]:
    """Every recommender's row, and how many questions were asked.

    Parameters
    ----------
    most
        A random sample of so many questions; None asks all.
    """
    asked = np.arange(len(task.cases))
    if most is not None and most < len(asked):
        asked = np.sort(np.random.default_rng(_SEED).choice(asked, most, replace=False))
    names = list(task.metrics)
    n = max(int(metric.partition("@")[2]) for metric in task.metrics.values())
    asking = answerers(task, learned, n)
    values = np.empty((len(asked), len(asking), len(names)))
    took = np.empty((len(asked), len(asking)))
    for column, (name, answer) in enumerate(asking.items()):
        progress(f"asking {name}")
        for past, _ in task.cases.questions(asked[:_WARM_UP].tolist()):
            answer(task.state(past))
        for row, (past, wanted) in enumerate(task.cases.questions(asked.tolist())):
            state = task.state(past)
            begun = time.perf_counter()
            shown = answer(state)
            took[row, column] = time.perf_counter() - begun
            found = ranking_metrics(shown, wanted, tuple(task.metrics.values()))
            values[row, column] = list(found.values())
    flat = values.reshape(len(asked), -1)
    low, high = (
        ends.reshape(values.shape[1:]) for ends in bootstrap_intervals(flat, task.cases.group[asked])
    )
    means = values.mean(axis=0)
    rows = {}
    for column, name in enumerate(asking):
        scores = {
            metric: Score(float(means[column, at]), float(low[column, at]), float(high[column, at]))
            for at, metric in enumerate(names)
        }
        ms = took[:, column] * 1e3
        rows[name] = Row(scores, learned.seconds[name], float(ms.mean()), float(np.percentile(ms, 99)))
    return rows, len(asked)
