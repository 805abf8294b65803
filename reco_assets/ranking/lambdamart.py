"""The learned ranker: LambdaMART (Burges, 2010), as XGBoost implements it, upon a blend of the sources."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import cast

import numpy as np
import xgboost

from reco_assets.errors import BadInput
from reco_assets.features.catalogue import RANKING_FEATURES, SOURCE_SHARES, names
from reco_assets.ranking.examples import Examples
from reco_assets.ranking.linear import fit_blend
from reco_assets.recommender.ranker import Ranker, shares_of


@dataclass(frozen=True)
class RankerParameters:
    """Hyper-parameters; logged with every run.

    Attributes
    ----------
    rounds
        Trees at the most; early stopping on the validation decisions takes fewer.
    patience
        Trees without a better validation NDCG@10 before it stops.
    top
        Pairs are made of the best so many of a decision with all others: the places that are seen.
    bins
        Histogram bins a feature.
    rising
        Features that only ever raise the score, other things equal: what a business expects of them, whatever
        a few examples say.
    upon_blend
        The trees start from the learned blend of the sources; otherwise from nothing.
    """

    rounds: int = 200
    patience: int = 25
    learning_rate: float = 0.1
    max_depth: int = 6
    min_child_weight: float = 10.0
    top: int = 20
    bins: int = 64
    subsample: float = 0.7
    colsample_bytree: float = 0.5
    reg_lambda: float = 5.0
    upon_blend: bool = True
    rising: tuple[str, ...] = ("product_avg_rating", "product_conversion_rate")
    seed: int = 7

    def as_params(self) -> dict[str, float | str]:
        """As a flat dictionary, for the run's record."""
        return {
            name: ", ".join(value) if isinstance(value, tuple) else float(value)
            for name, value in asdict(self).items()
        }


@dataclass(frozen=True)
class Trained:
    """A ranker and how its training went; ``blend`` is what its trees were grown upon."""

    ranker: Ranker
    blend: tuple[float, ...]
    trees: int
    validation_ndcg: float
    importance: dict[str, float]


def train_ranker(
    train: Examples, validation: Examples, parameters: RankerParameters, threads: int
) -> Trained:
    """Fit on ``train``, stop by ``validation`` (later decisions).

    Raises
    ------
    BadInput
        Not one decision of ``train`` or ``validation`` has a candidate that came true.
    """
    if not len(train) or not len(validation):
        raise BadInput(
            "training the ranker: no decision has a candidate that came true",
            hint="the history is too short; the sources' blend will rank",
        )
    columns = list(names(RANKING_FEATURES))
    blend = fit_blend(train) if parameters.upon_blend else (0.0,) * len(SOURCE_SHARES)
    weights = np.array(blend, np.float32)
    learned = xgboost.QuantileDMatrix(
        train.features,
        label=train.grade,
        qid=train.decision,
        base_margin=shares_of(train.features) @ weights,
        weight=train.decision_weights(),
        feature_names=columns,
        max_bin=parameters.bins,
        nthread=threads,
    )
    held = xgboost.DMatrix(
        validation.features,
        label=validation.grade,
        qid=validation.decision,
        base_margin=shares_of(validation.features) @ weights,
        feature_names=columns,
        nthread=threads,
    )
    history: dict[str, dict[str, list[float]]] = {}
    booster = xgboost.train(
        {
            "objective": "rank:ndcg",
            "eval_metric": "ndcg@10",
            "lambdarank_pair_method": "topk",
            "lambdarank_num_pair_per_sample": parameters.top,
            # a pair counts by what its swap changes alone, as Burges has it, however far apart its scores are
            "lambdarank_score_normalization": False,
            "tree_method": "hist",
            "max_bin": parameters.bins,
            "eta": parameters.learning_rate,
            "max_depth": parameters.max_depth,
            "min_child_weight": parameters.min_child_weight,
            "subsample": parameters.subsample,
            "colsample_bytree": parameters.colsample_bytree,
            "lambda": parameters.reg_lambda,
            "monotone_constraints": tuple(int(name in parameters.rising) for name in columns),
            "seed": parameters.seed,
            "nthread": threads,
        },
        learned,
        num_boost_round=parameters.rounds,
        evals=[(held, "validation")],
        early_stopping_rounds=parameters.patience,
        evals_result=history,
        verbose_eval=False,
    )
    best = booster.best_iteration
    kept = booster[: best + 1]
    kept.set_param({"nthread": 1})
    gain = kept.get_score(importance_type="total_gain")
    total = sum(float(cast("float", value)) for value in gain.values()) or 1.0
    return Trained(
        ranker=Ranker.upon(kept, blend),
        blend=blend,
        trees=best + 1,
        validation_ndcg=float(history["validation"]["ndcg@10"][best]),
        importance={name: float(value) / total for name, value in gain.items()},  # type: ignore[arg-type]
    )
