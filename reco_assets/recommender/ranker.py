"""The learned ranker of a bundle: its trees, upon a blend of the sources."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import numpy as np
import xgboost

from reco_assets.errors import IncompatibleBundle
from reco_assets.features.catalogue import RANKING_FEATURES, SOURCE_SHARES, names
from reco_assets.recommender.trees import Trees
from reco_assets.recommender.types import Floats

_BLEND: Final = "blend"
_FIRST_SHARE: Final = names(RANKING_FEATURES).index(names(SOURCE_SHARES)[0])
_SHARES: Final = slice(_FIRST_SHARE, _FIRST_SHARE + len(SOURCE_SHARES))


@dataclass(frozen=True)
class Ranker:
    """The learned ranker: a matrix of ranking features in, a score a row out.

    The score is what the trees say on top of a blend of the sources, whose weights the booster carries
    as its attribute ``blend``; without one the trees stand alone.
    """

    booster: xgboost.Booster

    @cached_property
    def trees(self) -> Trees | None:
        """The booster's trees laid out for speed; None where only XGBoost itself can walk them."""
        return Trees.of_booster(self.booster)

    @classmethod
    def laid_out(cls, booster: xgboost.Booster, trees: Trees) -> Self:
        """A ranker whose ``trees`` are those of ``booster``, which has not to be read again for them."""
        made = cls(booster)
        vars(made)["trees"] = trees  # another booster in its place (`replace`) is read anew
        return made

    @cached_property
    def blend(self) -> Floats | None:
        """Weights of the sources' shares that the trees were grown upon, ``float32[sources]``."""
        weights = self.booster.attr(_BLEND)
        return None if weights is None else np.array(json.loads(weights), np.float32)

    @classmethod
    def upon(cls, booster: xgboost.Booster, blend: Sequence[float]) -> Self:
        """A ranker whose ``booster`` was grown upon a ``blend`` of the sources."""
        booster.set_attr(**{_BLEND: json.dumps(list(blend))})
        return cls(booster)

    def score(self, matrix: Floats) -> Floats:
        """Scores ``float32[n]`` of ``matrix`` ``float32[n, len(RANKING_FEATURES)]``."""
        scores: Floats = (
            self.trees.score(matrix)
            if self.trees is not None
            else self.booster.inplace_predict(matrix, validate_features=False)
        )
        return scores if self.blend is None else scores + shares_of(matrix) @ self.blend


def shares_of(matrix: Floats) -> Floats:
    """The columns of a ranking matrix that say how each source's word stands, ``float32[n, sources]``.

    What speaks against a product, or is unknown, counts as silence.
    """
    shares: Floats = np.fmax(matrix[:, _SHARES], np.float32(0.0))
    return shares


def check_width(ranker: Ranker) -> None:
    """Refuse a ranker that was trained on another number of features (IncompatibleBundle)."""
    width = ranker.booster.num_features()
    if width != len(RANKING_FEATURES):
        raise IncompatibleBundle(
            f"the ranker has {width} features, the feature catalogue {len(RANKING_FEATURES)}",
            hint="train again",
        )
