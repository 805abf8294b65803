"""What a client may rely on: fields, types, limits, refusals."""

from __future__ import annotations

import re
import time
from collections import Counter

import msgspec
import pytest
from msgspec import Struct

from reco_assets.candidates.sources import SOURCES
from reco_assets.online import keys
from reco_assets.platform.redis import open_redis
from reco_serving.contract import BoughtTogetherRequest, BuyAgainRequest, SimilarRequest, TrendingRequest
from reco_serving.current import PAUSE_SECONDS
from tests.serving.bundles import CATEGORIES, NOW, PRODUCTS
from tests.serving.conftest import Running, until

STAGES = ("state", "queue", "decide", "encode")


def test_without_a_bundle_it_runs_and_says_what_is_missing(service: Running) -> None:
    recommend, health = service.at_first["recommend"], service.at_first["health"].json()
    assert recommend.status_code == 503
    assert "reco materialize" in recommend.json()["error"]["reason"]
    assert service.at_first["health"].status_code == 200
    assert (health["status"], health["bundle"], health["redis"]) == ("waiting", {}, "ok")
    assert "none has been promoted yet" in health["missing"][0]
    assert service.at_first["readyz"].status_code == 503
    assert service.at_first["ready"].status_code == 503
    assert "reco materialize" in service.at_first["ready"].json()["error"]["reason"]
    # a client that waits so long may find one
    assert recommend.headers["retry-after"] == service.at_first["ready"].headers["retry-after"] == "5"


def test_health_names_the_bundle_and_since_when(service: Running) -> None:
    health = service.health()
    assert health["status"] == "ok"
    assert health["missing"] == []
    served = health["bundle"]
    assert isinstance(served, dict)
    assert served["products"] == PRODUCTS
    assert str(health["since"]) < str(served["loaded_at"])
    assert service.client.get("/readyz").status_code == 200
    assert service.client.get("/ready").json() == {"bundle": "one"}


def test_an_answer_has_every_field(service: Running) -> None:
    answer = service.recommend(user_id="u1", session_id="s1", context={"page": "home", "device": "mobile"})
    assert set(answer) == {
        "user_id", "recommendations", "model_version", "latency_ms", "recommendation_id", "variant",
        "degraded", "rung", "shortfall",
    }  # fmt: skip
    assert answer["degraded"] is False
    shown = answer["recommendations"]
    assert isinstance(shown, list)
    assert [one["position"] for one in shown] == list(range(10))
    assert set(shown[0]) == {
        "product_id", "score", "position", "source", "reason", "title", "category", "price",
        "campaign", "rules",
    }  # fmt: skip
    assert shown[0]["category"] in CATEGORIES
    assert len({one["product_id"] for one in shown}) == 10


@pytest.mark.parametrize("user_id", ["u1", "1", 1, 2**40, -5, "ü", "a b"])
def test_ids_come_back_in_the_type_in_which_they_came(service: Running, user_id: str | int) -> None:
    echoed = service.recommend(user_id=user_id)["user_id"]
    assert echoed == user_id
    assert type(echoed) is type(user_id)


@pytest.mark.parametrize(("asked", "given"), [(1, 1), (10, 10), (59, 59), (60, 60), (100, PRODUCTS)])
def test_always_as_many_as_asked_while_there_are_any(service: Running, asked: int, given: int) -> None:
    products = service.products(user_id="nobody", num_recommendations=asked)
    assert len(products) == given
    assert len(set(products)) == given


def test_what_is_excluded_is_not_shown(service: Running) -> None:
    first = service.products(user_id="nobody")
    assert set(service.products(user_id="nobody", exclude=first)) & set(first) == set()


def test_a_category_limits_the_answer(service: Running) -> None:
    answer = service.recommend(user_id="nobody", category="tools", num_recommendations=30)
    shown = answer["recommendations"]
    assert isinstance(shown, list)
    assert {one["category"] for one in shown} == {"tools"}
    assert len(shown) == 20


def test_products_in_front_of_a_visitor_matter(service: Running) -> None:
    nobody = service.products(user_id="nobody")
    looking = service.recommend(user_id="nobody", context={"products": ["p1", "p4"], "cart": ["p7"]})
    shown = looking["recommendations"]
    assert isinstance(shown, list)
    assert [one["product_id"] for one in shown] != nobody
    assert {one["source"] for one in shown} & {"also_viewed", "content", "bought_together"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"\xff\xfe", "body"),
        (b"[]", "body"),
        (b"[" * 100_000, "body"),
        (b'"u1"', "body"),
        (b"{}", "user_id"),
        (b'{"user_id": null}', "user_id"),
        (b'{"user_id": true}', "user_id"),
        (b'{"user_id": 1.5}', "user_id"),
        (b'{"user_id": ""}', "user_id"),
        (b'{"user_id": ["u"]}', "user_id"),
        (b'{"user_id": "u", "num_recommendations": 0}', "num_recommendations"),
        (b'{"user_id": "u", "num_recommendations": 101}', "num_recommendations"),
        (b'{"user_id": "u", "num_recommendations": "5"}', "num_recommendations"),
        (b'{"user_id": "u", "session_id": {}}', "session_id"),
        (b'{"user_id": "u", "context": "home"}', "context"),
        (b'{"user_id": "u", "context": {"hour": 24}}', "context.hour"),
        (b'{"user_id": "u", "context": {"weekday": -1}}', "context.weekday"),
        (b'{"user_id": "u", "context": {"products": "p1"}}', "context.products"),
        (b'{"user_id": "u", "exclude": ["p1", 1.5]}', "exclude[1]"),
        (b'{"user_id": "u", "category": "no such"}', "category"),
    ],
)
def test_a_bad_request_is_refused_with_the_field_and_the_reason(
    service: Running, body: bytes, field: str
) -> None:
    response = service.ask("recommend", body)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["field"] == field
    assert error["reason"]


def test_a_body_that_is_too_long_is_refused(service: Running) -> None:
    assert service.ask("recommend", b" " * 1_100_000).status_code == 413


@pytest.mark.parametrize("endpoint", ["recommend", "recommend/batch", "similar", "rank", "trending"])
def test_only_a_post_is_answered(service: Running, endpoint: str) -> None:
    refused = service.client.get(f"/{endpoint}")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert refused.json()["error"] == {"field": "method", "reason": "must be POST"}


@pytest.mark.parametrize(
    ("path", "method", "status", "field"),
    [
        ("/no/such/path", "GET", 404, "path"),
        ("/explain/", "POST", 404, "path"),
        ("/explain/an/id", "GET", 404, "path"),
        ("/explain/an%2Fid", "POST", 404, "path"),
        ("/explain/an%0Aid", "GET", 404, "path"),
        ("/health", "DELETE", 405, "method"),
    ],
)
def test_what_no_route_takes_is_refused_like_all_else(
    service: Running, path: str, method: str, status: int, field: str
) -> None:
    refused = service.client.request(method, path)
    assert refused.status_code == status
    assert refused.headers["content-type"] == "application/json"
    assert refused.json()["error"]["field"] == field


def test_unknown_fields_and_products_do_no_harm(service: Running) -> None:
    answer = service.recommend(user_id="u", later="x", context={"theme": "dark", "products": ["gone", 17]})
    assert answer["degraded"] is False


@pytest.mark.parametrize("kind", [SimilarRequest, TrendingRequest, BoughtTogetherRequest, BuyAgainRequest])
def test_what_is_not_ranked_for_somebody_asks_only_for_what_the_rules_need(kind: type[Struct]) -> None:
    (context,) = (one.type for one in msgspec.structs.fields(kind) if one.name == "context")
    assert {one.name for one in msgspec.structs.fields(context)} == {"age", "region", "product_id", "cart"}


@pytest.mark.parametrize("endpoint", ["similar", "trending"])
def test_the_same_context_may_be_sent_everywhere(service: Running, endpoint: str) -> None:
    plain = {"product_id": "p1", "context": {"cart": ["p4"]}}
    more = {"page": "home", "device": "mobile", "hour": 9, "weekday": 6, "products": ["p7"], "cart": ["p4"]}
    told, same = (service.ask(endpoint, {**plain, **other}).json() for other in ({}, {"context": more}))
    assert told["recommendations"] == same["recommendations"]


def test_similar_products_leave_out_the_product_itself(service: Running) -> None:
    answer = service.ask("similar", {"product_id": "p1", "num_recommendations": 5}).json()
    ids = [one["product_id"] for one in answer["recommendations"]]
    assert len(ids) == 5
    assert "p1" not in ids


@pytest.mark.parametrize("product_id", ["gone", 17, "P1"])
def test_an_unknown_product_is_404_and_named(service: Running, product_id: str | int) -> None:
    response = service.ask("similar", {"product_id": product_id})
    assert response.status_code == 404
    assert response.json()["error"] == {
        "field": "product_id", "reason": f"there is no product {str(product_id)!r}",
    }  # fmt: skip


def test_trending_products_can_be_of_one_category(service: Running) -> None:
    everywhere = service.ask("trending", {"num_recommendations": 100}).json()["recommendations"]
    assert len(everywhere) == PRODUCTS
    tools = service.ask("trending", {"category": "tools"}).json()["recommendations"]
    assert {one["category"] for one in tools} == {"tools"}
    assert service.ask("trending", b"").status_code == 200
    assert service.ask("trending", {"category": "no such"}).json()["error"]["field"] == "category"


def test_the_endpoints_are_documented(service: Running) -> None:
    document = service.client.get("/docs.json").json()
    assert document["openapi"].startswith("3.")
    assert set(document["paths"]) == {
        "/recommend", "/recommend/batch", "/similar", "/bought-together", "/trending", "/buy-again",
        "/recently-viewed", "/rank", "/events", "/reco.js", "/health", "/ready", "/metrics", "/experiments",
        "/explain/{recommendation_id}", "/stream/{session_id}",
    }  # fmt: skip
    schemas = document["components"]["schemas"]
    assert schemas["RecommendRequest"]["required"] == ["user_id"]
    for path in document["paths"].values():
        for body in path.get("post", {}).get("requestBody", {}).get("content", {}).values():
            assert "example" in body or "examples" in body
    assert schemas["Event"]["required"] == ["event_id", "user_id", "event_type", "timestamp"]
    page = service.client.get("/").text
    assert "swagger-initializer.js" in page
    assert "googletagmanager" not in page
    assert "docs.json" in service.client.get("/static_content/swagger-initializer.js").text


def test_metrics_count_latency_rungs_and_the_bundle(service: Running) -> None:
    service.recommend(user_id="u")
    text = service.client.get("/metrics").text
    for line in (
        'reco_latency_seconds_count{endpoint="recommend"}',
        'reco_rung_total{endpoint="recommend",rung="no_ranker"}',
        "reco_bundle_info{",
        'reco_rung_seconds_count{endpoint="recommend",rung="no_ranker"}',
        'reco_stage_seconds_count{endpoint="recommend",rung="no_ranker",stage="decide"}',
        "reco_candidates_count",
        'reco_cache_total{cache="texts",outcome="hit"}',
    ):
        assert line in text


def counted(service: Running, series: str) -> Counter[tuple[str, ...]]:
    """The values of a counter by those of its labels that the pattern ``series`` has groups for."""
    text = service.client.get("/metrics").text
    found: Counter[tuple[str, ...]] = Counter()
    for *labels, value in re.findall(rf"^{series} (\S+)$", text, re.MULTILINE):
        found[tuple(labels)] += int(float(value))
    return found


def test_places_are_counted_by_the_source_of_the_product(service: Running) -> None:
    def places() -> Counter[tuple[str, ...]]:
        return counted(service, r'reco_places_total\{source="(\w+)"\}')

    before = places()
    answer = service.recommend(user_id="somebody", context={"products": ["p1", "p4"]}, num_recommendations=20)
    shown = answer["recommendations"]
    assert isinstance(shown, list)
    assert places() - before == Counter((one["source"],) for one in shown)


def test_every_list_is_counted_by_the_rung_that_gave_it(fresh: Running) -> None:
    def rungs() -> Counter[tuple[str, ...]]:
        return counted(fresh, r'reco_rung_total\{endpoint="([\w-]+)",rung="(\w+)"\}')

    def stages() -> Counter[tuple[str, ...]]:
        return counted(fresh, r'reco_stage_seconds_count\{endpoint="([\w-]+)",rung="\w+",stage="(\w+)"\}')

    ann: dict[str, object] = {"user_id": "ann", "products": ["p1", "p2"], "product_id": "p1"}
    lists = ("similar", "trending", "bought-together", "buy-again", "recently-viewed", "rank")
    rungs_before, stages_before = rungs(), stages()
    told = {name: fresh.ask(name, ann).json() for name in lists}
    with open_redis(fresh.settings) as client:
        client.set(keys.user("ann"), b"\x63 from another time")
    degraded = {name: fresh.ask(name, ann).json() for name in lists}
    nobody = fresh.ask("similar", {"product_id": "p1"}).json()
    assert all(one["degraded"] and one["rung"] == "no_user_state" for one in degraded.values())
    assert nobody["rung"] == "full"
    assert {(name, one["degraded"]) for name, one in told.items()} == {(name, False) for name in lists}
    answers = [*told.items(), *degraded.items(), ("similar", nobody)]
    asked = Counter(name for name, _ in answers)
    assert rungs() - rungs_before == Counter((name, one["rung"]) for name, one in answers)
    expected = Counter({(name, stage): n for name, n in asked.items() for stage in STAGES})
    # nobody's state was read for a list for nobody
    assert stages() - stages_before == expected - Counter([("similar", "state")])


def test_candidates_are_counted_by_the_sources_that_proposed_them(fresh: Running) -> None:
    def proposed() -> Counter[tuple[str, ...]]:
        return counted(fresh, r'reco_candidates_by_source_total\{source="(\w+)"\}')

    def settled() -> Counter[tuple[str, ...]]:
        """With the candidates of earlier answers, which are told of within a second."""
        found = proposed()
        time.sleep(2 * PAUSE_SECONDS)
        return found if proposed() == found else settled()

    before = settled()
    fresh.recommend(user_id="somebody", context={"products": ["p1", "p4"]})
    until(lambda: proposed() != before, "the worker tells of the candidates")
    told = proposed() - before
    assert told["popular",] == PRODUCTS
    assert set(told) <= {(source,) for source in SOURCES}
    assert set(proposed()) <= {(source,) for source in SOURCES}


def test_the_age_of_what_serves_is_told_as_moments(service: Running) -> None:
    text = service.client.get("/metrics").text
    found = {name: float(value) for name, value in re.findall(r"^(reco_\w+) (\S+)$", text, re.MULTILINE)}
    assert found["reco_bundle_timestamp_seconds"] == NOW / 1e6
    assert found["reco_product_epoch_timestamp_seconds"] == 0
    assert found["reco_product_epoch"] == -1
    assert found["reco_online_timestamp_seconds"] == 0


def test_bentoml_counts_the_requests_as_well(service: Running) -> None:
    def counted(endpoint: str, status: int) -> float:
        wanted = (f'endpoint="/{endpoint}"', f'http_response_code="{status}"')
        lines = service.client.get("/metrics").text.splitlines()
        found = [line for line in lines if line.startswith("bentoml_service_request_total{")]
        return sum(float(line.split()[-1]) for line in found if all(part in line for part in wanted))

    before = {name: counted(name, 200) for name in ("recommend", "trending")} | {
        "bad": counted("similar", 400)
    }
    service.recommend(user_id="u")
    service.ask("trending", {})
    service.ask("similar", b"{")
    assert counted("recommend", 200) == before["recommend"] + 1
    assert counted("trending", 200) == before["trending"] + 1
    assert counted("similar", 400) == before["bad"] + 1
