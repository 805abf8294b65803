"""``reco recommend``, ``reco similar`` and ``reco serve``: the service, and questions to it."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from reco_assets.catalogue.items import LEVEL
from reco_assets.platform.settings import Settings
from reco_assets.recommender.asked import Context, RecommendRequest
from reco_serving.client import Client
from reco_serving.contract import SimilarRequest
from reco_serving.replies import Recommended, Related

Count = Annotated[int, typer.Option("-n", "--num", help="How many products.", min=1, max=100)]
Filters = Annotated[
    str | None, typer.Option(help="Only products that this expression is true for; see docs/policy.md.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the service's answer as it is.")]


def recommend(
    user: Annotated[str, typer.Argument(help="User id; nobody needs to know it.")],
    num: Count = 10,
    product: Annotated[
        list[str] | None, typer.Option(help="A product just looked at; repeat it, the latest last.")
    ] = None,
    session: Annotated[str | None, typer.Option(help="Session id.")] = None,
    category: Annotated[str | None, typer.Option(help="Only products of this category.")] = None,
    filters: Filters = None,
    as_json: AsJson = False,
) -> None:
    """Ask the running service for a user's products.

    Examples:

    * `reco recommend u42`

    * `reco recommend u42 -n 5 --json`

    * `reco recommend somebody-new --product p17 --product p3`

    * `reco recommend u42 --filters 'price < 80 and brand is not null'`
    """
    asked = RecommendRequest(
        user_id=user,
        session_id=session,
        context=Context(products=list(product or [])),
        num_recommendations=num,
        category=category,
        filters=filters or "",
    )
    with Client.of(Settings()) as client:
        _tell(client.recommend(asked), f"For {user}", as_json)


def similar(
    product: Annotated[str, typer.Argument(help="Product id.")],
    num: Count = 10,
    filters: Filters = None,
    as_json: AsJson = False,
) -> None:
    """Ask the running service for products that go with one product.

    Examples:

    * `reco similar p17`

    * `reco similar p17 -n 5 --json`

    * `reco similar p17 --filters 'price < 80'`
    """
    asked = SimilarRequest(product, num_recommendations=num, filters=filters or "")
    with Client.of(Settings()) as client:
        _tell(client.similar(asked), f"Goes with {product}", as_json)


def serve() -> None:
    """Run the recommendation service in the foreground, with the embedded Redis if none runs.

    It starts without a bundle, serves the champion as soon as one is promoted, and each new one
    without a pause. Its page on / documents the endpoints.

    Examples:

    * `reco serve`

    * `RECO_SERVICE_PORT=8080 RECO_SERVICE_WORKERS=4 reco serve`
    """
    from reco_serving.run import serve as run

    run(Settings())


def answer_table(answer: Recommended | Related, title: str) -> Table:
    """The products of an answer as a table for a person."""
    told = [f"model {answer.model_version}", f"{answer.latency_ms} ms"]
    if answer.degraded:
        told.append(f"degraded: {answer.rung}")
    table = Table(title=title, title_justify="left", caption=", ".join(told), caption_justify="left")
    table.add_column("product", no_wrap=True, min_width=7)
    table.add_column("title", no_wrap=True, max_width=26)
    table.add_column("category", no_wrap=True, max_width=14)
    table.add_column("price", justify="right", no_wrap=True, min_width=6)
    table.add_column("score", justify="right", no_wrap=True, min_width=6)
    table.add_column("source", no_wrap=True, min_width=8)
    for product in answer.recommendations:
        table.add_row(
            product.product_id,
            product.title,
            (product.category or "").rsplit(LEVEL, 1)[-1],
            "" if product.price is None else f"{product.price:,.2f}",
            f"{product.score:.3f}",
            product.source,
        )
    return table


def _tell(answer: Recommended | Related, title: str, as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.encode(answer))
    else:
        Console().print(answer_table(answer, title))
