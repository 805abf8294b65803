"""The Python client: typed answers of every endpoint, and errors that say what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice

import httpx
import pytest

from reco_assets.errors import BadInput, Busy, MissingBundle, MissingDependency, RecoError
from reco_assets.platform.settings import Settings
from reco_assets.recommender.asked import RecommendRequest
from reco_serving.access import PATHS
from reco_serving.client import AsyncClient, Client
from reco_serving.client_answers import refusal
from reco_serving.client_questions import Method, Questions
from reco_serving.contract import (
    BoughtTogetherRequest,
    BuyAgainRequest,
    RankRequest,
    RecentlyViewedRequest,
    SimilarRequest,
    TrendingRequest,
)
from tests.online.conftest import free_port
from tests.serving.conftest import Running


@pytest.fixture
def client(fresh: Running) -> Iterator[Client]:
    with Client(str(fresh.client.base_url)) as client:
        yield client


def test_every_question_has_a_typed_answer(client: Client) -> None:
    shown = client.recommend(RecommendRequest(user_id="ann", num_recommendations=3))
    assert (shown.user_id, len(shown.recommendations), shown.degraded) == ("ann", 3, False)
    assert client.explain(shown.recommendation_id).replayed is True
    batch = client.recommend_batch([RecommendRequest(user_id=1), RecommendRequest(user_id="1")])
    assert [one.user_id for one in batch] == [1, "1"]
    assert len(client.similar(SimilarRequest("p1")).recommendations) == 10
    assert len(client.trending(TrendingRequest("tools")).recommendations) == 10
    assert len(client.bought_together(BoughtTogetherRequest(cart=["p1"])).recommendations) == 10
    assert client.buy_again(BuyAgainRequest(user_id="ann")).recommendations == []
    assert client.rank(RankRequest("ann", ["gone", "p1"])).unknown == ["gone"]
    assert client.ready().bundle == "one"
    assert client.health().status == "ok"
    assert client.experiments().startswith("<!DOCTYPE html>")
    assert 'version="one"} 1.0' in client.metrics()


def click(name: str, user: str, product: str) -> dict[str, object]:
    return {
        "event_id": name,
        "user_id": user,
        "session_id": user,
        "event_type": "click",
        "product_id": product,
        "timestamp": datetime.now(UTC).isoformat(),
    }


def test_what_was_collected_is_known_to_the_next_answer(client: Client) -> None:
    assert client.collect([click("e1", "ann", "p7"), {}]).accepted == 1
    viewed = client.recently_viewed(RecentlyViewedRequest(user_id="ann")).recommendations
    assert [one.product_id for one in viewed] == ["p7"]


def test_what_is_refused_names_the_field_and_the_reason(client: Client) -> None:
    with pytest.raises(BadInput, match="/recommend: category: there is no category 'no such'"):
        client.recommend(RecommendRequest(user_id="u", category="no such"))
    with pytest.raises(BadInput, match="/similar: there is no product 'gone'"):
        client.similar(SimilarRequest("gone"))
    with (
        pytest.raises(BadInput, match="num_recommendations: "),
        client.stream("s1", num_recommendations=0),
    ):
        pass


def test_an_id_with_any_letters_is_asked_for_as_it_is(client: Client) -> None:
    with pytest.raises(BadInput, match=r"there is no decision 'a \?#%25ü' any more"):
        client.explain("a ?#%25ü")
    # no id has one, and no other path may be asked instead
    with pytest.raises(BadInput, match="is not one of this service"):
        client.explain("../health")


def test_a_stream_has_a_list_at_once_and_one_after_each_event(client: Client) -> None:
    with client.stream("s 1", user_id="ann", num_recommendations=3) as lists:
        first = next(lists)
        assert (first.user_id, len(first.recommendations)) == ("ann", 3)
        client.collect([click("e1", "s 1", "p7")])
        assert next(lists).recommendation_id != first.recommendation_id
    with client.stream("s 1") as lists:
        assert [one.user_id for one in islice(lists, 1)] == ["s 1"]


def test_the_client_of_an_event_loop_asks_the_same(fresh: Running) -> None:
    async def ask() -> None:
        async with AsyncClient(str(fresh.client.base_url)) as client:
            asked = RecommendRequest(user_id="ann", num_recommendations=3)
            shown, like = await asyncio.gather(client.recommend(asked), client.similar(SimilarRequest("p1")))
            assert (shown.user_id, len(shown.recommendations), len(like.recommendations)) == ("ann", 3, 10)
            assert [one.user_id for one in await client.recommend_batch([asked, asked])] == ["ann", "ann"]
            assert (await client.explain(shown.recommendation_id)).replayed is True
            async with client.stream("s2", num_recommendations=3) as lists:
                first = await anext(lists)
                await client.collect([click("e1", "s2", "p7")])
                assert (await anext(lists)).recommendation_id != first.recommendation_id
            with pytest.raises(BadInput, match="/similar: there is no product 'gone'"):
                await client.similar(SimilarRequest("gone"))
            with pytest.raises(BadInput, match="num_recommendations: "):
                async with client.stream("s2", num_recommendations=0):
                    pass

    asyncio.run(ask())


def test_every_path_that_answers_a_program_has_a_method() -> None:
    methods = {name for name, value in vars(Questions).items() if isinstance(value, Method)} | {"stream"}
    paths = {path.split("/{")[0].strip("/").replace("/", "_").replace("-", "_") for path in PATHS}
    beside = {"livez", "readyz", "", "docs.json", "static_content", "reco.js"}
    assert methods == (paths - beside - {"events"}) | {"collect"}


@pytest.mark.parametrize(
    ("status", "field", "kind", "hint"),
    [
        (503, "bundle", MissingBundle, "run `reco materialize`"),
        (503, "events", MissingDependency, "send it again after 5 seconds"),
        (429, "service", Busy, "ask again after 5 seconds"),
        (401, "key", BadInput, "set RECO_KEY, or the client's key, to one that may ask"),
        (404, "product_id", BadInput, "ids are those of the imported events"),
        (404, "recommendation_id", BadInput, ""),
    ],
)
def test_a_refusal_is_an_error_that_says_what_to_do(
    status: int, field: str, kind: type[RecoError], hint: str
) -> None:
    body = {"error": {"field": field, "reason": "why"}}
    error = refusal("http://shop/x", httpx.Response(status, json=body, headers={"Retry-After": "5"}))
    assert type(error) is kind
    assert "asking http://shop/x: " in error.message
    assert error.hint == hint


def test_the_client_of_settings_asks_what_they_name(fresh: Running) -> None:
    with Client.of(Settings(service_port=fresh.settings.service_port)) as client:
        assert client.ready().bundle == "one"


def test_where_nothing_answers_the_way_out_is_named() -> None:
    with Client(f"http://127.0.0.1:{free_port()}") as client:
        with pytest.raises(MissingDependency) as error:
            client.ready()
        with pytest.raises(MissingDependency, match="/stream/s1"), client.stream("s1"):
            pass
    assert error.value.hint == "start the service with `reco up` or `reco serve`"
