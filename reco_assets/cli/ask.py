"""``reco recommend``, ``reco similar`` and ``reco serve``: the service, and questions to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeAlias

import httpx
import typer
from rich.console import Console
from rich.table import Table

from reco_assets.catalogue.items import LEVEL
from reco_assets.errors import BadInput, MissingBundle, MissingDependency
from reco_assets.platform.settings import Settings

#: A JSON object as the service answered it.
Answer: TypeAlias = dict[str, Any]

_TIMEOUT_SECONDS: Final = 10.0

Count = Annotated[int, typer.Option("-n", "--num", help="How many products.", min=1, max=100)]
AsJson = Annotated[bool, typer.Option("--json", help="Print the service's answer as it is.")]


def recommend(
    user: Annotated[str, typer.Argument(help="User id; nobody needs to know it.")],
    num: Count = 10,
    product: Annotated[
        list[str] | None, typer.Option(help="A product just looked at; repeat it, the latest last.")
    ] = None,
    session: Annotated[str | None, typer.Option(help="Session id.")] = None,
    category: Annotated[str | None, typer.Option(help="Only products of this category.")] = None,
    filters: Annotated[
        str | None, typer.Option(help="Only products that this expression is true for; see docs/policy.md.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask the running service for a user's products.

    Examples:

    * `reco recommend u42`

    * `reco recommend u42 -n 5 --json`

    * `reco recommend somebody-new --product p17 --product p3`

    * `reco recommend u42 --filters 'price < 80 and brand is not null'`
    """
    body: dict[str, object] = {"user_id": user, "num_recommendations": num}
    if product:
        body["context"] = {"products": product}
    if session is not None:
        body["session_id"] = session
    if category is not None:
        body["category"] = category
    if filters is not None:
        body["filters"] = filters
    _tell(ask(Settings(), "recommend", body), f"For {user}", as_json)


def similar(
    product: Annotated[str, typer.Argument(help="Product id.")],
    num: Count = 10,
    as_json: AsJson = False,
) -> None:
    """Ask the running service for products that go with one product.

    Examples:

    * `reco similar p17`

    * `reco similar p17 -n 5 --json`
    """
    body = {"product_id": product, "num_recommendations": num}
    _tell(ask(Settings(), "similar", body), f"Goes with {product}", as_json)


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


def ask(settings: Settings, endpoint: str, body: Mapping[str, object]) -> Answer:
    """Post ``body`` to an endpoint of the service that ``settings`` mean; its answer.

    Raises
    ------
    MissingDependency
        No service answers there.
    MissingBundle
        It has no bundle yet.
    BadInput
        It refused a field or the key, or knows no such product.
    """
    url = f"http://{settings.service_host}:{settings.service_port}/{endpoint}"
    try:
        response = httpx.post(url, json=dict(body), headers=key_headers(settings), timeout=_TIMEOUT_SECONDS)
        told = response.json()
    except (httpx.HTTPError, json.JSONDecodeError) as error:
        raise MissingDependency(
            f"asking {url}: {error}", hint="start the service with `reco up` or `reco serve`"
        ) from error
    if response.status_code == httpx.codes.OK:
        return dict(told)
    fault = told.get("error", {})
    field, reason = fault.get("field", "answer"), fault.get("reason", response.text)
    if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        raise MissingBundle(f"asking {url}: {reason}", hint="run `reco materialize`")
    if response.status_code == httpx.codes.NOT_FOUND:
        raise BadInput(f"asking {url}: {reason}", hint="ids are those of the imported events")
    if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise BadInput(f"asking {url}: the key {reason}", hint="set RECO_KEY to one of `reco keys list`")
    hint = "categories are those of the imported products" if field == "category" else ""
    raise BadInput(f"asking {url}: {field}: {reason}", hint=hint)


def key_headers(settings: Settings) -> dict[str, str]:
    """What a request says of the key that ``settings`` hold; nothing where there is none."""
    return {} if settings.key is None else {"X-Api-Key": settings.key.get_secret_value()}


def health(settings: Settings, client: httpx.Client) -> Answer:
    """What the service says of itself; raises BadInput where it wants a key, and what httpx raises."""
    url = f"http://{settings.service_host}:{settings.service_port}/health"
    response = client.get(url, headers=key_headers(settings))
    told = response.json()
    if response.status_code != httpx.codes.OK:
        reason = told["error"]["reason"]
        raise BadInput(f"asking {url}: the key {reason}", hint="set RECO_KEY to a key with the scope operate")
    return dict(told)


def answer_table(answer: Answer, title: str) -> Table:
    """The products of an answer as a table for a person."""
    told = [f"model {answer['model_version']}", f"{answer['latency_ms']} ms"]
    if answer.get("degraded"):
        told.append(f"degraded: {answer['rung']}")
    table = Table(title=title, title_justify="left", caption=", ".join(told), caption_justify="left")
    table.add_column("product", no_wrap=True, min_width=7)
    table.add_column("title", no_wrap=True, max_width=26)
    table.add_column("category", no_wrap=True, max_width=14)
    table.add_column("price", justify="right", no_wrap=True, min_width=6)
    table.add_column("score", justify="right", no_wrap=True, min_width=6)
    table.add_column("source", no_wrap=True, min_width=8)
    for product in answer["recommendations"]:
        price = product["price"]
        table.add_row(
            product["product_id"],
            product["title"],
            (product["category"] or "").rsplit(LEVEL, 1)[-1],
            "" if price is None else f"{price:,.2f}",
            f"{product['score']:.3f}",
            product["source"],
        )
    return table


def _tell(answer: Answer, title: str, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(answer))
    else:
        Console().print(answer_table(answer, title))
