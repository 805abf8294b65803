"""A bundle as an MLflow model: the same answers for anybody who has only the registry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reco_assets.catalogue.items import product_keys
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.recommend import recommend
from reco_assets.recommender.state import empty_state
from reco_assets.recommender.types import MOST, Request

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.models import ModelSignature


def signature() -> ModelSignature:
    """Columns recent_products (a list of product ids, oldest first) and n; a list of ids for each row."""
    from mlflow.models import ModelSignature
    from mlflow.types.schema import Array, ColSpec, DataType, Schema

    return ModelSignature(
        inputs=Schema(
            [
                ColSpec(Array(DataType.string), "recent_products"),
                ColSpec(DataType.long, "n", required=False),
            ]
        ),
        outputs=Schema([ColSpec(Array(DataType.string), "product_ids")]),
    )


def example() -> pd.DataFrame:
    """One row as the signature has it: somebody without a history."""
    import pandas as pd

    return pd.DataFrame({"recent_products": [["unknown"]], "n": [10]})


@dataclass(frozen=True)
class BundleModel:
    """Recommends to visitors who are known by their session alone, as of the bundle's own moment."""

    bundle: Bundle

    def predict(self, model_input: pd.DataFrame) -> pd.DataFrame:
        """Product ids for each row of ``model_input`` (see :func:`signature`), best first."""
        import pandas as pd

        counts = model_input["n"].to_list() if "n" in model_input else [10] * len(model_input)
        answers = [
            self._answer([str(product) for product in recent], int(n))
            for recent, n in zip(model_input["recent_products"], counts, strict=True)
        ]
        return pd.DataFrame({"product_ids": answers})

    def _answer(self, recent: list[str], n: int) -> list[str]:
        items = self.bundle.items
        rows = items.rows(product_keys(recent))
        request = Request(n=min(n, MOST), session_items=tuple(rows[rows >= 0].tolist()))
        decision = recommend(
            request, empty_state(), self.bundle, self.bundle.policy, self.bundle.manifest.as_of
        )
        return [items.ids[one.item] for one in decision.recommendations]


def _load_pyfunc(data_path: str) -> BundleModel:
    """What MLflow calls to load the model."""
    return BundleModel(Bundle.load(Path(data_path)))
