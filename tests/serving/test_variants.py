"""Which variant a running service answers with: sticky, whole, and also when Redis is gone."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from reco_assets.events.decided import PARTITIONS, STREAM, Decided, Exposure, decode
from reco_assets.experiments.board import Board, ramp, start, stop
from reco_assets.experiments.definition import Experiment, Variant
from reco_assets.experiments.store import Store, keep
from reco_assets.platform.redis import open_redis, start_redis
from reco_assets.platform.registry import Champion, Registry
from reco_assets.platform.settings import Settings
from reco_assets.platform.streams.redis_stream import RedisStream
from reco_assets.recommender.policy.rules import Rules
from reco_serving.backlog import Backlog
from reco_serving.choices import DEFAULT
from reco_serving.current import Current
from reco_serving.decisions import KEPT
from reco_serving.loaded import Loaded
from reco_serving.metrics import Metrics
from reco_serving.products import ProductFeed
from reco_serving.variants import Variants
from tests.experiments.builders import experiment
from tests.online.conftest import free_port
from tests.serving.bundles import bundle, damage
from tests.serving.conftest import Running, until

USERS = [f"user-{number}" for number in range(60)]


def now_us() -> int:
    return time.time_ns() // 1000


@pytest.fixture
def experiments(fresh: Running) -> Iterator[Store]:
    """The experiments of the running service; whatever is started is stopped again."""
    with open_redis(fresh.settings) as client:
        found = Store.of(fresh.settings, client)
        yield found
        for one in found.read().running:
            found.change("stop", now_us(), lambda board, name=one.name: stop(board, name, "done", now_us()))  # type: ignore[misc]
    until(lambda: fresh.recommend(user_id="u")["variant"] == DEFAULT, "the experiments have ended")
    until(lambda: fresh.health()["status"] == "ok", "nothing is missing")


def begun(store: Store, one: Experiment, *shares: float) -> None:
    store.change(f"start {one.name}", now_us(), lambda board: start(board, one, shares, now_us()))


def shown(service: Running, users: list[str] = USERS) -> dict[str, tuple[str, str]]:
    """Variant and bundle by user."""
    answers = {user: service.recommend(user_id=user) for user in users}
    return {user: (str(one["variant"]), str(one["model_version"])) for user, one in answers.items()}


def test_users_are_divided_between_two_bundles_and_stay_there(fresh: Running, experiments: Store) -> None:
    name = f"next-{now_us()}"
    version = fresh.register(name)
    begun(experiments, experiment("bundles", Variant("next", version)), 0.5, 0.5)
    until(lambda: fresh.recommend(user_id="u")["variant"] != DEFAULT, "the experiment runs")

    first = shown(fresh)
    champion = {bundle for variant, bundle in first.values() if variant == "bundles:control"}
    assert {variant for variant, _ in first.values()} == {"bundles:control", "bundles:next"}
    assert {bundle for variant, bundle in first.values() if variant == "bundles:next"} == {name}
    assert len(champion) == 1
    assert champion != {name}
    assert shown(fresh) == first

    page = fresh.client.get("/experiments")
    assert page.headers["content-type"].startswith("text/html")
    assert "bundles" in page.text
    assert 'reco_variant_total{experiment="bundles"' in fresh.client.get("/metrics").text


def test_a_record_says_by_which_rules_the_answer_was_made(fresh: Running, experiments: Store) -> None:
    begun(experiments, experiment("varied", Variant("more", policy={"diversity": 0.7})), 0.0001, 0.9999)
    begun(
        experiments,
        experiment("caps", Variant("wide", policy={"max_per_category": 1.0}), layer="caps"),
        0.5,
        0.5,
    )
    until(lambda: str(fresh.recommend(user_id="u")["variant"]).count(":") == 2, "both run")
    told = fresh.recommend(user_id="somebody")
    assert "varied:more" in str(told["variant"])

    with open_redis(fresh.settings) as client:
        stream = RedisStream(client, STREAM, PARTITIONS, KEPT)

        def records() -> dict[str, Decided]:
            read = [decode(record.value)[0] for record in stream.read("0", None, 10_000)]
            return {one.recommendation_id: one for one in read}

        until(lambda: told["recommendation_id"] in records(), "the record is written")
        record = records()[str(told["recommendation_id"])]
    assert record.variant == told["variant"]
    assert Exposure("varied", "more", 1) in record.exposures
    assert {one.experiment for one in record.exposures} == {"varied", "caps"}
    assert record.policy_changes["diversity"] == 0.7
    assert 0 < record.latency_ms < 10_000
    assert not record.degraded


def test_a_bundle_that_is_not_there_lets_nobody_in_and_is_named(fresh: Running, experiments: Store) -> None:
    begun(experiments, experiment("ghost", Variant("next", "4711")), 0.5, 0.5)
    until(lambda: "4711" in str(fresh.health()["missing"]), "the trouble is told")
    assert {variant for variant, _ in shown(fresh).values()} == {DEFAULT}


def test_a_damaged_bundle_keeps_its_experiment_closed_and_no_other(
    fresh: Running, experiments: Store
) -> None:
    version, before = fresh.register("bit-flipped"), refused(fresh)
    damage(Registry(fresh.settings).folder(version))
    begun(experiments, experiment("damaged", Variant("next", version)), 0.1, 0.1)
    begun(experiments, experiment("whole", Variant("plain", policy={"explore": 0.0})), 0.4, 0.4)
    until(lambda: "product_matrix.npy is not what was written" in str(fresh.health()["missing"]), "refused")
    until(lambda: "whole:plain" in {variant for variant, _ in shown(fresh).values()}, "the other runs")
    assert not any("damaged" in variant for variant, _ in shown(fresh).values())
    assert refused(fresh) == before + 1


def refused(service: Running) -> int:
    """How many bundles of experiments were refused so far."""
    found = re.search(r'reco_openings_total\{outcome="refused"\} (\S+)', service.client.get("/metrics").text)
    assert found is not None
    return int(float(found[1]))


def served(settings: Settings, name: str = "one") -> Loaded:
    """A champion of this process."""
    made = bundle(name)
    feed = ProductFeed(redis.Redis(port=settings.redis_port), made)
    return Loaded(made, Champion("1", settings.home), feed, 0, Rules(made))


def test_without_redis_a_worker_starts_with_what_it_last_knew(tmp_path: Path, metrics: Metrics) -> None:
    settings = Settings(home=tmp_path, redis_port=free_port())
    board = start(Board(), experiment("x", Variant("blue", policy={"explore": 0.0})), (0.5, 0.5), 1)
    keep(tmp_path / "experiments" / "known.json", board)
    variants, champion = Variants(Current(settings, metrics, Backlog(settings, metrics))), served(settings)
    variants.start()
    try:
        until(lambda: variants.of("u1", champion).variant != DEFAULT, "it is laid out")
    finally:
        variants.stop()
    choices = {user: variants.of(user, champion) for user in USERS}
    assert {one.variant for one in choices.values()} == {"x:control", "x:blue"}
    assert {one.changes["explore"] for one in choices.values() if one.variant == "x:blue"} == {0.0}


def test_a_new_champion_and_a_ramp_move_nobody(tmp_path: Path, metrics: Metrics) -> None:
    settings = Settings(home=tmp_path, redis_port=free_port())
    settings.home.joinpath("mlflow").mkdir()
    start_redis(settings)
    with open_redis(settings) as client:
        store = Store.of(settings, client)
        variants = Variants(Current(settings, metrics, Backlog(settings, metrics)))
        champion = served(settings)
        begun(store, experiment("x"), 0.2, 0.2)
        variants.look(client)
        before = {user: variants.of(user, champion) for user in USERS}
        assert DEFAULT in {one.variant for one in before.values()}

        store.change("ramp", 2, lambda board: ramp(board, "x", {"treatment": 0.6}, 2))
        variants.look(client)
        other = served(settings, "other")
        after = {user: variants.of(user, other) for user in USERS}
        assert all(one.loaded is other for one in after.values())
        for user in USERS:
            if before[user].variant != DEFAULT:
                assert after[user].variant == before[user].variant
        assert {one.exposures[0].phase for one in after.values() if one.exposures} == {2}
        client.flushall()
        variants.look(client)
        assert variants.of(USERS[0], other).variant == after[USERS[0]].variant
        client.shutdown(nosave=True)
