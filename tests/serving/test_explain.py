"""An answer is made again from its record, equal to the bit, and every product says why it is there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from reco_assets.candidates.sources import SOURCES
from reco_assets.errors import MissingDependency
from reco_assets.events.decided import PARTITIONS, STREAM, Decided, encode
from reco_assets.events.decisions import drain_all_decisions
from reco_assets.online.materialise import write_products, write_users
from reco_assets.platform.lake import open_lake
from reco_assets.platform.redis import open_redis
from reco_assets.platform.registry import Champion
from reco_assets.platform.streams.redis_stream import RedisStream
from reco_assets.recommender.policy.rules import Rules
from reco_assets.recommender.recommend import recommend
from reco_assets.recommender.state import empty_state
from reco_assets.recommender.types import Request
from reco_serving.decisions import KEPT
from reco_serving.drained import in_lake
from reco_serving.explained import explained
from reco_serving.loaded import Loaded
from reco_serving.products import ProductFeed
from reco_serving.recent import Recent, in_stream
from tests.online.test_materialise import bought, products, recents, users
from tests.recommender.shops import ranker
from tests.serving.bundles import NOW, bundle
from tests.serving.conftest import Running, until
from tests.serving.test_decisions import decided
from tests.serving.test_state import epoch, records


def asked(service: Running, recommendation_id: object) -> dict[str, Any]:
    response = service.client.get(f"/explain/{recommendation_id}")
    assert response.status_code == 200, response.text
    return dict(response.json())


def test_an_answer_says_why_each_product_is_there(fresh: Running) -> None:
    with open_redis(fresh.settings) as client:
        write_users(
            client, users(ann=1.0), recents(("ann", "p1", "click", 0)), bought(ann=["p4"]), ttl_days=30
        )
    answer = fresh.recommend(user_id="ann", num_recommendations=5)
    told = asked(fresh, answer["recommendation_id"])
    assert (told["replayed"], told["differs"]) == (True, None)
    assert (told["user_id"], told["rung"], told["model_version"]) == ("ann", "no_ranker", "one")
    shown = answer["recommendations"]
    assert isinstance(shown, list)
    assert [one["product_id"] for one in told["products"]] == [one["product_id"] for one in shown]
    for one, was in zip(told["products"], shown, strict=True):
        assert (one["source"], one["reason"]) == (was["source"], was["reason"])
        assert round(one["score"], 6) == was["score"]
        assert one["features"] == []  # this bundle has no ranker
    best = told["products"][0]["source_scores"]
    assert best
    assert set(best) <= set(SOURCES)
    posted = fresh.client.post(f"/explain/{answer['recommendation_id']}")
    assert posted.json() == told


def test_an_answer_of_a_cheap_rung_is_explained_as_well(fresh: Running) -> None:
    response = fresh.client.post("/recommend", json={"user_id": "u"}, headers={"X-Deadline-Ms": "0.001"})
    told = asked(fresh, response.json()["recommendation_id"])
    assert (told["rung"], told["replayed"], told["candidates"]) == ("popular", True, 0)
    assert {one["source"] for one in told["products"]} <= {"popular", "trending"}


def test_products_that_have_changed_since_are_named(fresh: Running) -> None:
    answer = fresh.recommend(user_id="nobody")
    shown = answer["recommendations"]
    assert isinstance(shown, list)
    gone = products(shown[0]["product_id"]).with_columns(inventory_level=0.0)
    with open_redis(fresh.settings) as client:
        write_products(client, gone, epoch=51, ttl_days=7)
    until(lambda: epoch(fresh) == 51, "the epoch is applied")
    told = asked(fresh, answer["recommendation_id"])
    assert told["replayed"] is False
    assert told["differs"].startswith("the products are other ones: products were of epoch")
    assert "are of epoch 51 now" in told["differs"]
    with open_redis(fresh.settings) as client:
        write_products(client, products(shown[0]["product_id"]), epoch=52, ttl_days=7)
    until(lambda: epoch(fresh) == 52, "the next epoch is applied")


@contextmanager
def of_another_worker(fresh: Running, chance: str, **asked: object) -> Iterator[tuple[RedisStream, str]]:
    """The stream, and the id of a decision in it that this worker has not made."""
    mine = fresh.recommend(user_id="ann", **asked)["recommendation_id"]
    with open_redis(fresh.settings) as client:
        until(lambda: mine in records(client), "the record is written")
        record = records(client)[mine]
        name = f"{record.now_us:014x}{chance}"
        other = {field: getattr(record, field) for field in record.__struct_fields__}
        stream = RedisStream(client, STREAM, PARTITIONS, KEPT)
        stream.append([(name, encode(Decided(**{**other, "recommendation_id": name})))])
        yield stream, name


def test_the_record_of_another_worker_is_found_in_the_stream(fresh: Running) -> None:
    with of_another_worker(fresh, "0" * 10) as (stream, name):
        assert in_stream(stream, name) is not None
    assert asked(fresh, name)["replayed"] is True


@pytest.fixture
def drained(fresh: Running) -> Iterator[str]:
    """The id of a decision of another worker that is in the lake alone."""
    with of_another_worker(fresh, "1" * 10, num_recommendations=3) as (stream, name):
        drain_all_decisions(open_lake(fresh.settings), stream)
        assert in_stream(stream, name) is None
    yield name
    shutil.rmtree(fresh.settings.lake_root)


def test_a_decision_that_the_lake_alone_has_is_explained(fresh: Running, drained: str) -> None:
    told = asked(fresh, drained)
    assert (told["replayed"], told["user_id"], len(told["products"])) == (True, "ann", 3)
    assert fresh.client.get(f"/explain/{drained[:-1]}0").status_code == 404


def test_a_lake_that_cannot_be_read_is_named(fresh: Running, drained: str) -> None:
    (Path(fresh.settings.lake_root) / "raw/decisions/_delta_log/00000000000000000000.json").write_text("{")
    response = fresh.client.get(f"/explain/{drained}")
    assert response.status_code == 404
    reason = response.json()["error"]["reason"]
    assert "the stream has none; the lake cannot be read: reading raw/decisions in" in reason
    with pytest.raises(MissingDependency, match=r"no answer within 0\.01 s"):
        in_lake(fresh.settings, drained, seconds=0.01)


@pytest.mark.parametrize("name", ["0006516b2c3d4e5f1a2b3c4d", "0006516b2c3d4e%00", "nonsense", "%20"])
def test_what_is_not_there_any_more_is_404_with_the_reason(fresh: Running, name: str) -> None:
    response = fresh.client.get(f"/explain/{name}")
    assert response.status_code == 404
    assert response.json()["error"]["field"] == "recommendation_id"
    reason = response.json()["error"]["reason"]
    assert reason.endswith("in this worker; the stream has none; raw/decisions of the lake has none")


def test_an_answer_of_a_bundle_that_is_gone_says_so(fresh: Running) -> None:
    with open_redis(fresh.settings) as client:
        now = "7" + "f" * 23
        stream = RedisStream(client, STREAM, PARTITIONS, KEPT)
        name = f"{0:014x}{now[:10]}"
        stream.append([(name, encode(decided(name)))])
    response = fresh.client.get(f"/explain/{name}")
    assert response.status_code == 404
    assert "made by bundle b, which this worker does not serve" in response.json()["error"]["reason"]


def test_features_and_blend_add_up_to_what_the_ranker_said() -> None:
    used = replace(bundle("ranked"), ranker=ranker())
    champion = Champion("1", Path("nowhere"))
    loaded = Loaded(used, champion, ProductFeed(redis.Redis(), used), 0, Rules(used))
    record, shown = decided("d1"), recommend(Request(seed=3), empty_state(), used, used.policy, NOW)
    fields = {field: getattr(record, field) for field in record.__struct_fields__} | {
        "now_us": NOW,
        "bundle": "ranked",
        "products": [used.items.ids[one.item] for one in shown.recommendations],
        "scores": [one.score for one in shown.recommendations],
        "sources": [one.source for one in shown.recommendations],
        "propensities": [one.propensity for one in shown.recommendations],
    }
    told = explained(Decided(**fields), loaded, loaded.rules)
    assert (told.replayed, told.differs) == (True, None)
    ranked = [one for one in told.products if one.base is not None]
    assert ranked
    for one in ranked:
        assert one.features
        assert one.base is not None
        terms = [*(part.contribution for part in one.features), *one.blend.values()]
        assert one.score == pytest.approx(one.base + sum(terms), abs=1e-5)


def test_a_worker_remembers_its_last_decisions() -> None:
    recent = Recent(most=2)
    for name in ("a", "b", "c"):
        recent.keep(decided(name))
    assert [recent.get(name) is not None for name in ("a", "b", "c")] == [False, True, True]
    assert recent.get("c") == decided("c")
