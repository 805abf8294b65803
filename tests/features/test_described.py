"""Every column of the tables has words of its own."""

from __future__ import annotations

import pytest

from reco_assets.features.catalogue import PRODUCT_FEATURES, USER_FEATURES, names
from reco_assets.features.described import features_described, sums_described
from reco_assets.features.windows import PRODUCT_SUMS, USER_SUMS


@pytest.mark.parametrize("column", [*USER_SUMS, *PRODUCT_SUMS])
def test_whatever_is_summed_is_told(column: str) -> None:
    assert sums_described()[column]


def test_features_of_one_name_are_told_for_whom_they_are() -> None:
    user, product = features_described("user"), features_described("product")
    assert set(names(USER_FEATURES)) <= set(user)
    assert set(names(PRODUCT_FEATURES)) <= set(product)
    assert user["clicks"] != product["clicks"]
    assert "favorite_category" not in product
