"""UCI Online Retail: the order lines of a gift shop; every accepted line is a purchase.

What is done with the lines that are no purchase of a product by a person:

* A line without a customer keeps its basket: the user is ``invoice:<number>`` and the source
  ``online-retail:guest``, so bought-together counts it and nobody's history does.
  What it cost is not the product's price: such lines are taxed, and would make every price flap.
* Cancellations (invoice ``C...``), and stock movements (a quantity of 0 or less otherwise), are
  quarantined: nothing in the file tells which purchase a cancellation takes back.
* Postage, fees, discounts, vouchers' and manual corrections (stock codes that are not products,
  invoices ``A...``) are quarantined.
* Lines that cost nothing (gifts, samples, corrections) are quarantined: they say nothing about what
  people choose.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from reco_assets.events.adapters.delimited import Delimited
from reco_assets.events.adapters.fields import listed

#: Stock codes of products: five digits with a colour or size after them, or the shop's own DCGS line.
_PRODUCT: Final = r"(?i)^(\d{5}[a-z]{0,2}|DCGS.+|PADS)$"


def translate(columns: pl.DataFrame) -> pl.DataFrame:
    """Lines of an invoice are one session; the description and the price are those of the product."""
    quantity = pl.col("Quantity").str.strip_chars().cast(pl.Float64, strict=False)
    price = pl.col("UnitPrice").str.strip_chars().cast(pl.Float64, strict=False)
    cancelled = pl.col("InvoiceNo").str.starts_with("C").fill_null(False)
    guest = pl.col("CustomerID").is_null()
    words = columns.select(
        pl.when(cancelled).then(pl.lit("cancellation")).alias("1"),
        pl.when(~cancelled & (quantity <= 0)).then(pl.lit("stock movement: no positive quantity")).alias("2"),
        pl.when(~pl.col("StockCode").str.contains(_PRODUCT))
        .then(pl.lit("not a product: postage, fee, voucher"))
        .alias("3"),
        pl.when(price == 0).then(pl.lit("no price: gift, sample or correction")).alias("4"),
    )
    return columns.select(
        pl.lit("purchase").alias("event_type"),
        pl.col("InvoiceDate").alias("timestamp"),
        pl.coalesce("CustomerID", pl.format("invoice:{}", "InvoiceNo")).alias("user_id"),
        pl.col("InvoiceNo").alias("session_id"),
        pl.col("StockCode").str.to_uppercase().alias("product_id"),
        pl.when(~(quantity <= 0).fill_null(False)).then("Quantity").alias("quantity"),
        pl.col("UnitPrice").alias("price"),
        pl.when(guest).then(pl.lit("online-retail:guest")).otherwise(pl.lit("online-retail")).alias("source"),
        pl.col("Description").str.strip_chars().alias("title"),
        pl.when(~guest).then("UnitPrice").alias("list_price"),
        pl.when(~guest).then("Country").alias("country"),
        listed(words),
    )


ADAPTER: Final = Delimited(
    name="online-retail",
    required=(
        "InvoiceNo",
        "StockCode",
        "Description",
        "Quantity",
        "InvoiceDate",
        "UnitPrice",
        "CustomerID",
        "Country",
    ),
    translate=translate,
    observes_prices=True,
)
