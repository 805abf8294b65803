"""The Python client: typed answers of every endpoint, and errors that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from reco_assets.errors import BadInput, MissingDependency
from reco_assets.recommender.asked import RecommendRequest
from reco_serving.client import Client
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


def test_what_was_collected_is_known_to_the_next_answer(client: Client) -> None:
    event = {
        "event_id": "e1",
        "user_id": "ann",
        "event_type": "click",
        "product_id": "p7",
        "timestamp": datetime.now(UTC).isoformat(),
    }
    assert client.collect([event, {}]).accepted == 1
    viewed = client.recently_viewed(RecentlyViewedRequest(user_id="ann")).recommendations
    assert [one.product_id for one in viewed] == ["p7"]


def test_what_is_refused_names_the_field_and_the_reason(client: Client) -> None:
    with pytest.raises(BadInput, match="/recommend: category: there is no category 'no such'"):
        client.recommend(RecommendRequest(user_id="u", category="no such"))
    with pytest.raises(BadInput, match="/similar: there is no product 'gone'"):
        client.similar(SimilarRequest("gone"))


def test_where_nothing_answers_the_way_out_is_named() -> None:
    with Client(f"http://127.0.0.1:{free_port()}") as client, pytest.raises(MissingDependency) as error:
        client.ready()
    assert error.value.hint == "start the service with `reco up` or `reco serve`"
