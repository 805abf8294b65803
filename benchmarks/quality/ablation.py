"""What each source and each group of features is worth: left out, trained anew, and asked again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.quality.intervals import bootstrap_intervals
from benchmarks.quality.judging import Score
from benchmarks.quality.leaving_out import groups, masked, quiet
from reco_assets.errors import BadInput
from reco_assets.features.catalogue import RANKING_FEATURES, names
from reco_assets.ranking.examples import Examples, replayed
from reco_assets.ranking.lambdamart import RankerParameters, train_ranker
from reco_assets.ranking.stage import Stage
from reco_assets.ranking.training import LEARNING, TrainingBudget
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.ranker import Ranker

Doubles = npt.NDArray[np.float64]
Progress = Callable[[str], None]

#: Nothing is left out.
ALL: Final = "all"


@dataclass(frozen=True)
class Lesson:
    """What a ranker is trained from, and what it then ranks in.

    Attributes
    ----------
    past
        Without a ranker; its sources knew only what was before the training decisions.
    learned, held
        The training decisions and the later ones that stop the training, walked on ``past``.
    asked
        The bundle that answers, whose own ranker is not used.
    """

    past: Bundle
    learned: Stage
    held: Stage
    asked: Bundle
    budget: TrainingBudget
    threads: int

    def rows(self, without: str = "") -> tuple[Examples, Examples]:
        """Examples to learn from and to stop by, with one source silent."""
        past, policy = quiet(self.past, without), LEARNING
        learned, held, seed = self.learned, self.held, self.budget.seed
        return (
            replayed(
                replace(learned, bundle=past),
                policy,
                self.budget.negatives_of(learned.decisions),
                seed,
                self.threads,
            ),
            replayed(replace(held, bundle=past), policy, policy.candidates, seed, self.threads),
        )

    def trained(self, rows: tuple[Examples, Examples], without: str = "") -> Bundle:
        """The answering bundle with a ranker of ``rows``, and with one source silent.

        Where nothing can be learned, the blend ranks.
        """
        ranker: Ranker | None = None
        try:
            ranker = train_ranker(*rows, RankerParameters(), self.threads).ranker
        except BadInput:
            ranker = None  # the bundle without a ranker is what such a shop would be served
        return replace(quiet(self.asked, without), ranker=ranker)


@dataclass(frozen=True)
class Sheet:
    """Questions of one kind.

    Attributes
    ----------
    ask
        The values ``float64[questions, metrics]`` of a bundle's answers.
    person
        ``int64[questions]``: whose question it is.
    """

    metrics: tuple[str, ...]
    ask: Callable[[Bundle], Doubles]
    person: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Ablated:
    """One thing left out.

    Attributes
    ----------
    scores
        By metric.
    minus
        By metric: this minus the one with everything, over the same draws; below 0, it was of use.
    """

    scores: Mapping[str, Score]
    minus: Mapping[str, Score]


def ablate(
    lesson: Lesson, sheets: Sequence[Sheet], only: Sequence[str], progress: Progress
) -> dict[str, Ablated]:
    """Leave out one thing after the other; ``ALL`` comes first. A source that never speaks is passed over.

    Parameters
    ----------
    only
        Sources and groups to leave out; all where it is empty.
    """
    everything = lesson.rows()
    progress(f"with everything: {len(everything[0]):,} rows to learn from")
    whole = lesson.trained(everything)
    best = [sheet.ask(whole) for sheet in sheets]
    found = {ALL: _compared(whole, sheets, best)}
    for source in lesson.past.sources.retrievers:
        if not _speaks(source, everything):
            progress(f"the source {source} is silent here")
        elif not only or source in only:
            progress(f"without the source {source}")
            found[source] = _compared(lesson.trained(lesson.rows(source), source), sheets, best)
    for group, columns in groups().items():
        if not only or group in only:
            progress(f"without the features {group}")
            learned, held = (masked(rows, columns) for rows in everything)
            found[f"features: {group}"] = _compared(lesson.trained((learned, held)), sheets, best)
    return found


def _speaks(source: str, parts: tuple[Examples, Examples]) -> bool:
    column = names(RANKING_FEATURES).index(f"score_{source}")
    return any(bool((rows.features[:, column] != 0.0).any()) for rows in parts)


def _compared(bundle: Bundle, sheets: Sequence[Sheet], best: Sequence[Doubles]) -> Ablated:
    scores: dict[str, Score] = {}
    minus: dict[str, Score] = {}
    for sheet, with_all in zip(sheets, best, strict=True):
        values = sheet.ask(bundle)
        both = np.concatenate([values, values - with_all], axis=1)
        low, high = bootstrap_intervals(both, sheet.person)
        ends = zip(both.mean(axis=0).tolist(), low.tolist(), high.tolist(), strict=True)
        told = [Score(mean, first, last) for mean, first, last in ends]
        scores |= dict(zip(sheet.metrics, told, strict=False))
        minus |= dict(zip(sheet.metrics, told[len(sheet.metrics) :], strict=True))
    return Ablated(scores, minus)
