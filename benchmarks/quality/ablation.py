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
#: Standard deviations of a 95 % interval.
_Z: Final = 1.96


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

    def trained(self, rows: tuple[Examples, Examples], without: str = "", dice: int = 0) -> Bundle:
        """The answering bundle with a ranker of ``rows``, and with one source silent.

        Where nothing can be learned, the blend ranks. Other ``dice`` draw other rows and columns for each
        tree; 0 has those of a retraining.
        """
        ranker: Ranker | None = None
        usual = RankerParameters()
        try:
            ranker = train_ranker(*rows, replace(usual, seed=usual.seed + dice), self.threads).ranker
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
        By metric: the mean of the trainings; the interval is over people.
    minus
        By metric: this minus the one with everything, over the same draws; below 0, it was of use. The
        interval is over people and over trainings, where there are several.
    luck
        By metric: by how much single trainings differ, a standard deviation; alike of all that is left out,
        0 where each was trained once.
    """

    scores: Mapping[str, Score]
    minus: Mapping[str, Score]
    luck: Mapping[str, float]


def ablate(
    lesson: Lesson, sheets: Sequence[Sheet], only: Sequence[str], trainings: int, progress: Progress
) -> dict[str, Ablated]:
    """Leave out one thing after the other; ``ALL`` comes first. A source that never speaks is passed over.

    Parameters
    ----------
    only
        Sources and groups to leave out; all where it is empty.
    trainings
        How often each is trained, with other dice: what is told is their mean.
    """

    def asked(rows: tuple[Examples, Examples], without: str = "") -> list[Doubles]:
        bundles = [lesson.trained(rows, without, dice) for dice in range(trainings)]
        return [np.stack([sheet.ask(bundle) for bundle in bundles]) for sheet in sheets]

    everything = lesson.rows()
    progress(f"with everything: {len(everything[0]):,} rows to learn from")
    found = {ALL: asked(everything)}
    for source in lesson.past.sources.retrievers:
        if not _speaks(source, everything):
            progress(f"the source {source} is silent here")
        elif not only or source in only:
            progress(f"without the source {source}")
            found[source] = asked(lesson.rows(source), source)
    for group, columns in groups().items():
        if not only or group in only:
            progress(f"without the features {group}")
            learned, held = (masked(rows, columns) for rows in everything)
            found[f"features: {group}"] = asked((learned, held))
    return compared(found, sheets)


def _speaks(source: str, parts: tuple[Examples, Examples]) -> bool:
    column = names(RANKING_FEATURES).index(f"score_{source}")
    return any(bool((rows.features[:, column] != 0.0).any()) for rows in parts)


def compared(found: Mapping[str, Sequence[Doubles]], sheets: Sequence[Sheet]) -> dict[str, Ablated]:
    """Scores and differences of what was asked.

    Parameters
    ----------
    found
        By what was left out, ``ALL`` among it: the values ``float64[trainings, questions, metrics]`` of each
        sheet.
    """
    told = {name: Ablated({}, {}, {}) for name in found}
    for place, sheet in enumerate(sheets):
        values = {name: of_sheets[place] for name, of_sheets in found.items()}
        luck = _luck(list(values.values()))
        # a difference is that of two means of so many trainings
        trained = _Z * luck * np.sqrt(2.0 / len(values[ALL]))
        for name, own in values.items():
            mean = own.mean(axis=0)
            both = np.concatenate([mean, mean - values[ALL].mean(axis=0)], axis=1)
            low, high = bootstrap_intervals(both, sheet.person)
            middle, wider = both.mean(axis=0), np.concatenate([np.zeros(len(luck)), trained])
            if name == ALL:
                wider[:] = 0.0
            ends = zip(
                middle.tolist(),
                (middle - np.hypot(middle - low, wider)).tolist(),
                (middle + np.hypot(high - middle, wider)).tolist(),
                strict=True,
            )
            scores = [Score(*end) for end in ends]
            told[name] = Ablated(
                {**told[name].scores, **dict(zip(sheet.metrics, scores, strict=False))},
                {**told[name].minus, **dict(zip(sheet.metrics, scores[len(sheet.metrics) :], strict=True))},
                {**told[name].luck, **dict(zip(sheet.metrics, luck.tolist(), strict=True))},
            )
    return told


def _luck(values: Sequence[Doubles]) -> Doubles:
    """``float64[metrics]``: the standard deviation of a training's mean, pooled over all that is left out."""
    means = np.stack([own.mean(axis=1) for own in values])
    if means.shape[1] < 2:
        return np.zeros(means.shape[2])
    spread: Doubles = np.sqrt(means.var(axis=1, ddof=1).mean(axis=0))
    return spread
