"""How often products were shown and clicked, by example."""

from __future__ import annotations

import polars as pl

from reco_assets.interactions.exposure import exposure
from tests.builders import moment
from tests.candidates.shops import shop


def test_only_the_last_thirty_days_count_and_only_products_of_the_table() -> None:
    rows = [
        ("a", "2024-05-31T10:00", True),
        ("a", "2024-05-30T10:00", False),
        ("a", "2024-04-01T10:00", True),  # long ago
        ("a", "2024-06-01T00:00", True),  # not yet
        ("gone", "2024-05-31T10:00", True),
    ]
    table = pl.DataFrame(
        [(product, moment(at), clicked) for product, at, clicked in rows],
        schema={"product_id": pl.String, "shown_at": pl.Datetime("us", "UTC"), "clicked": pl.Boolean},
        orient="row",
    )
    now = int(moment("2024-06-01").timestamp() * 1e6)
    shown, clicked = exposure(table.lazy(), shop("a", "b"), now)
    assert shown.tolist() == [2, 0]
    assert clicked.tolist() == [1, 0]
