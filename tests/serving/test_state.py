"""What the service knows of people and products, and how fresh it is."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import msgspec
import numpy as np
import redis

from reco_assets.catalogue.items import product_keys
from reco_assets.events.decided import PARTITIONS, STREAM, Decided, decode
from reco_assets.online import keys
from reco_assets.online.codec import encode_session
from reco_assets.online.mark import Mark, micros_of
from reco_assets.online.materialise import write_products, write_users
from reco_assets.platform.redis import open_redis
from reco_assets.platform.streams.redis_stream import RedisStream
from reco_assets.recommender.asked import RecommendRequest, resolved
from reco_assets.recommender.recommend import recommend
from reco_serving.contract import read
from reco_serving.decisions import KEPT
from reco_serving.evidence import Watched
from reco_serving.state import Packed, unpack
from tests.online.test_materialise import START, bought, products, recents, users
from tests.serving.bundles import bundle
from tests.serving.conftest import Running, until


def test_what_a_user_bought_is_not_shown_again(fresh: Running) -> None:
    first = fresh.products(user_id="ann", num_recommendations=5)
    with open_redis(fresh.settings) as client:
        write_users(client, users(ann=1.0), recents(), bought(ann=first), ttl_days=30)
    assert set(fresh.products(user_id="ann", num_recommendations=5)) & set(first) == set()
    assert fresh.products(user_id="bob", num_recommendations=5) == first


def test_recent_events_of_the_user_and_of_the_session_count(fresh: Running) -> None:
    nobody = fresh.products(user_id="ann", session_id="s1")
    with open_redis(fresh.settings) as client:
        write_users(client, users(ann=1.0), recents(("ann", "p1", "click", 0)), bought(), ttl_days=30)
    known = fresh.products(user_id="ann", session_id="s1")
    assert known != nobody
    event = np.array([int((START + timedelta(hours=1)).timestamp() * 1e6)], np.int64)
    with open_redis(fresh.settings) as client:
        client.set(keys.session("s1"), encode_session(product_keys(["p33"]), np.zeros(1, np.int8), event))
    assert fresh.products(user_id="ann", session_id="s1") != known
    assert fresh.products(user_id="ann") == known


def test_an_integer_id_and_its_text_are_the_same_person(fresh: Running) -> None:
    with open_redis(fresh.settings) as client:
        write_users(client, users(**{"17": 1.0}), recents(("17", "p1", "click", 0)), bought(), ttl_days=30)
    assert fresh.products(user_id=17) == fresh.products(user_id="17") != fresh.products(user_id=18)


def test_a_value_of_another_layout_degrades_the_answer_and_says_so(fresh: Running) -> None:
    with open_redis(fresh.settings) as client:
        client.set(keys.user("ann"), b"\x63 from another time")
    answer = fresh.recommend(user_id="ann")
    assert (answer["degraded"], answer["rung"]) == (True, "no_user_state")


def test_a_product_that_sells_out_disappears_with_its_epoch(fresh: Running) -> None:
    best = fresh.products(user_id="nobody")[0]
    sold_out = products(best).with_columns(inventory_level=0.0)
    with open_redis(fresh.settings) as client:
        write_products(client, sold_out, epoch=41, ttl_days=7)
    until(lambda: epoch(fresh) == 41, "the epoch is applied")
    assert best not in fresh.products(user_id="nobody", num_recommendations=50)
    with open_redis(fresh.settings) as client:
        write_products(client, products(best), epoch=42, ttl_days=7)
    until(lambda: epoch(fresh) == 42, "the next epoch is applied")
    assert best in fresh.products(user_id="nobody", num_recommendations=60)


def epoch(service: Running) -> object:
    """The product epoch that the service says it is at."""
    served = service.health()["bundle"]
    assert isinstance(served, dict)
    return served["product_epoch"]


def records(client: redis.Redis) -> dict[object, Decided]:
    """The decision records in the stream, by recommendation."""
    stream = RedisStream(client, STREAM, PARTITIONS, KEPT)
    decoded = [decode(record.value)[0] for record in stream.read("0", None, 1_000)]
    return {one.recommendation_id: one for one in decoded}


def test_a_decision_can_be_made_again_from_its_record(fresh: Running) -> None:
    with open_redis(fresh.settings) as client:
        write_users(
            client, users(ann=1.0), recents(("ann", "p1", "click", 0)), bought(ann=["p4"]), ttl_days=30
        )
        mark = Mark(START + timedelta(days=1), 5, 6, 7)
        client.set(keys.ONLINE_MARK, msgspec.json.encode(mark))
        answer = fresh.recommend(user_id="ann", context={"products": ["p2"]}, num_recommendations=7)
        until(lambda: answer["recommendation_id"] in records(client), "the record is written")
        record = records(client)[answer["recommendation_id"]]
        used = bundle(record.bundle)
    request = resolved(read(RecommendRequest, record.request), used, record.seed)
    state, whole = unpack(
        Packed(record.user_state, record.pending_state, record.session_state, record.reached), used.items
    )
    assert whole
    watched = Watched()
    again = recommend(request, state, used, used.policy, record.now_us, watched)
    assert record.evidence is not None
    assert record.evidence.users_at == micros_of(mark.at)
    assert watched.digest is not None
    assert record.evidence.candidates == watched.digest.candidates
    assert len(record.evidence.columns) == len(watched.digest.columns)
    assert [used.items.ids[one.item] for one in again.recommendations] == record.products
    assert [one.score for one in again.recommendations] == record.scores
    assert [one.propensity for one in again.recommendations] == record.propensities
    shown = answer["recommendations"]
    assert isinstance(shown, list)
    assert [one["product_id"] for one in shown] == record.products


def test_an_answer_costs_redis_one_command(fresh: Running) -> None:
    looking = {"products": ["p2"], "cart": ["p4"]}
    asked: dict[str, object] = {"user_id": "ann", "session_id": "s1", "context": looking}
    counted = []
    with open_redis(fresh.settings) as client:

        def commands() -> Counter[str]:
            told = client.info("commandstats")
            return Counter({name.removeprefix("cmdstat_"): one["calls"] for name, one in told.items()})

        def nothing_else(endpoint: str, body: dict[str, object]) -> bool:
            """Whether nothing that the worker does beside its answers came in between."""
            before = commands()
            assert fresh.ask(endpoint, body).status_code == 200
            counted.append(commands() - before - Counter(info=1))
            return counted[-1] == Counter(mget=1)

        until(lambda: nothing_else("recommend", asked), "an answer with one command")
        until(lambda: nothing_else("recommend/batch", {"requests": [asked] * 5}), "a batch with one command")
    assert {one["mget"] for one in counted} == {1}
