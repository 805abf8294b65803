"""The policy file of a running service: taken when it changes, refused when it is bad, never forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reco_assets.errors import BadInput
from reco_assets.features.catalogue import PRODUCT_FEATURES
from reco_assets.platform.redis import open_redis
from reco_assets.platform.settings import Settings
from reco_assets.recommender.asked import RecommendRequest, resolved
from reco_assets.recommender.policy.document import digest_of
from reco_assets.recommender.policy.kept import kept_text, rules_of
from reco_assets.recommender.policy.rules import Rules
from reco_assets.recommender.recommend import recommend
from reco_assets.recommender.state import empty_state
from reco_assets.recommender.types import Request, Shortfall, UserState
from reco_serving.answers import decide
from reco_serving.contract import read
from reco_serving.policy import PolicyWatch
from reco_serving.state import Packed, unpack
from tests.serving.bundles import NOW, PRODUCTS, bundle
from tests.serving.conftest import Running, until
from tests.serving.test_state import records

FILE = b"""
version = 1
filter = "brand != 'brand 3'"

[[boosts]]
name = "tools first"
when = "category = 'tools'"
add = 1.0

[[promotions]]
campaign = "spring"
products = ["p0", "p3", "p6"]
share = 0.2
"""


@pytest.fixture
def ruled(fresh: Running) -> Iterator[Running]:
    """The service under ``FILE``; without a file afterwards."""
    write(fresh, FILE)
    yield fresh
    fresh.settings.policy_file.unlink()
    until(lambda: fresh.health()["policy"] == "", "the bundle's own rules hold again")


def write(service: Running, text: bytes) -> None:
    """Put ``text`` in the place of the policy file, and wait until it holds."""
    service.settings.policy_file.write_bytes(text)
    until(lambda: service.health()["policy"] == digest_of(text), "the policy holds")


def shown(answer: dict[str, object]) -> list[dict[str, object]]:
    products = answer["recommendations"]
    assert isinstance(products, list)
    return products


def test_a_file_holds_without_a_restart(ruled: Running) -> None:
    products = shown(ruled.recommend(user_id="u", num_recommendations=10))
    numbers = [int(str(one["product_id"])[1:]) for one in products]
    assert all(number % 5 != 3 for number in numbers)
    assert {place for place, one in enumerate(products) if one["campaign"] == "spring"} <= {4, 9}
    for one in products:
        assert one["rules"] == (["tools first"] if one["category"] == "tools" else [])
    write(ruled, b"version = 1\nfilter = \"category = 'tools'\"")
    answer = ruled.recommend(user_id="u", num_recommendations=30)
    assert {one["category"] for one in shown(answer)} == {"tools"}
    assert answer["shortfall"] == {"missing": 10, "catalogue": PRODUCTS, "left_out": {"policy filter": 40}}


def test_a_bad_file_is_refused_and_named_and_the_old_one_stays(ruled: Running) -> None:
    ruled.settings.policy_file.write_bytes(b'version = 1\nfilter = "prise < 5"')
    until(lambda: ruled.health()["status"] == "degraded", "the fault is seen")
    said = str(ruled.health()["missing"])
    assert "filter: column 1 of 'prise < 5'" in said
    assert "did you mean price?" in said
    assert ruled.health()["policy"] == digest_of(FILE)
    write(ruled, FILE)
    until(lambda: ruled.health()["status"] == "ok", "the file is as it was")


def test_a_decision_names_its_policy_and_is_made_again_from_it(ruled: Running) -> None:
    answer = ruled.recommend(
        user_id="u",
        num_recommendations=7,
        filters="brand in ('brand 1', 'brand 2')",
        context={"cart": ["p1"]},
    )
    with open_redis(ruled.settings) as client:
        until(lambda: answer["recommendation_id"] in records(client), "the record is written")
        record = records(client)[answer["recommendation_id"]]
    assert record.policy == digest_of(FILE)
    used = bundle(record.bundle)
    rules = rules_of(ruled.settings.policies_folder, record.policy, used).now()
    request = resolved(read(RecommendRequest, record.request), used, record.seed)
    state, _ = unpack(Packed(record.user_state, record.pending_state, record.session_state), used.items)
    again = recommend(request, state, used, rules.policy, record.now_us, rules=rules)
    assert [used.items.ids[one.item] for one in again.recommendations] == record.products
    assert [one.score for one in again.recommendations] == record.scores
    assert {int(one[1:]) % 5 for one in record.products} == {1, 2}
    assert "p1" not in record.products


@pytest.mark.parametrize(
    ("filters", "reason"),
    [
        ("prise < 5", "column 1 of 'prise < 5': products have no column prise (did you mean price?)"),
        ("price <", "column 8 of 'price <': a number"),
        ("x" * 2001, "length <= 2000"),
    ],
)
def test_filters_that_mean_nothing_are_refused(service: Running, filters: str, reason: str) -> None:
    response = service.ask("recommend", {"user_id": "u", "filters": filters})
    assert response.status_code == 400
    assert response.json()["error"]["field"] == "filters"
    assert reason in response.json()["error"]["reason"]


def test_the_product_on_the_page_is_not_shown(service: Running) -> None:
    first = service.products(user_id="nobody")[0]
    assert first not in service.products(user_id="nobody", context={"product_id": first})


def test_what_is_in_the_cart_is_not_shown(service: Running) -> None:
    first = service.products(user_id="nobody")
    assert not set(first) & set(service.products(user_id="nobody", context={"cart": first}))


def test_a_short_answer_says_why(service: Running) -> None:
    asked = {"exclude": ["p2", "p5"], "context": {"cart": ["p8"]}, "num_recommendations": 30}
    answer = service.recommend(user_id="nobody", filters="category = 'tools'", **asked)
    assert len(shown(answer)) == 17
    assert answer["shortfall"] == {
        "missing": 13, "catalogue": PRODUCTS, "left_out": {"filters": 40, "exclude": 2, "cart": 1},
    }  # fmt: skip


def test_when_ranking_fails_the_rules_hold_all_the_same() -> None:
    used = bundle("b")
    rules = Rules.read(FILE, used, "policy.toml").now()
    state = UserState(
        features=np.zeros(1, np.float32),  # of another layout: no ranking can be made from it
        favorite_category=-1,
        items=np.array([used.items.row("p1")], np.int32),
        kinds=np.full(1, 3, np.int8),
        times=np.full(1, NOW, np.int64),
        bought=np.array([used.items.row("p2")], np.int32),
    )
    broken = Request(n=60, filters="brand != 'brand 4'", cart=(used.items.row("p5"),))

    def fails(*told: object) -> None:
        raise RuntimeError("a defect")

    decision, degraded = decide(broken, state, True, used, rules, NOW, fails)
    products = {used.items.ids[one.item] for one in decision.recommendations}
    assert (decision.rung, degraded) == ("category_popular", True)
    assert not products & {"p1", "p2", "p5"}
    assert {int(one[1:]) % 5 for one in products} == {0, 1, 2}
    assert decision.shortfall is not None
    assert decision.shortfall.missing == 60 - len(products)


def test_when_all_else_fails_a_short_answer_says_why_all_the_same() -> None:
    used = bundle("b")
    rules = Rules.read(FILE, used, "policy.toml").now()
    bought = np.array([used.items.row("p2"), used.items.row("p3")], np.int32)
    state = replace(empty_state(), bought=bought)
    asked = Request(n=60, filters="brand != 'brand 4'", cart=(used.items.row("p5"),))
    unusable = replace(rules.policy, max_per_category=float("nan"))  # no rung can make its caps
    decision, degraded = decide(asked, state, True, used, rules, NOW, policy=unusable)
    products = {used.items.ids[one.item] for one in decision.recommendations}
    assert (decision.rung, degraded) == ("popular", True)
    assert {int(one[1:]) % 5 for one in products} == {0, 1, 2}
    assert not products & {"p2", "p3", "p5"}
    assert decision.shortfall == Shortfall(
        missing=26, catalogue=PRODUCTS, left_out={"filters": 12, "cart": 1, "bought": 2, "policy filter": 11}
    )


def watch(home: Path, policy: Path | None = None) -> PolicyWatch:
    return PolicyWatch(Settings(home=home, policy=policy))


def test_after_a_restart_with_a_bad_file_what_was_served_last_is(tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_bytes(FILE)
    assert watch(tmp_path).rules_of(bundle("b")).text == FILE
    file.write_bytes(b"version = 2")
    later = watch(tmp_path)
    assert later.rules_of(bundle("b")).text == FILE
    assert "version: Invalid enum value 2" in str(later.trouble)
    assert later.look(bundle("b")) is None
    assert kept_text(tmp_path / "policies", digest_of(FILE)) == FILE


def test_a_bundle_without_a_column_of_the_policy_is_refused(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_bytes(b'version = 1\n[age]\ncolumn = "clicks"')
    held = watch(tmp_path)
    held.rules_of(bundle("b"))
    held.text = b'version = 1\n[age]\ncolumn = "min_age"'
    with pytest.raises(BadInput, match="no column of numbers 'min_age'"):
        held.rules_of(bundle("next"))


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    held = watch(tmp_path, policy=tmp_path / "rules.toml")
    assert held.rules_of(bundle("b")).digest == ""
    assert "there is no such file" in str(held.trouble)
    (tmp_path / "rules.toml").write_bytes(FILE)
    rules = held.look(bundle("b"))
    assert rules is not None
    assert (rules.digest, held.trouble) == (digest_of(FILE), None)


def test_a_full_disk_does_not_keep_a_policy_from_holding(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_bytes(FILE)
    (tmp_path / "policies").write_text("a file where the folder should be")
    held = watch(tmp_path)
    assert held.rules_of(bundle("b")).text == FILE
    assert "was not kept for replays" in str(held.trouble)
    (tmp_path / "policies").unlink()
    assert held.look(bundle("b")) is None
    assert held.trouble is None
    assert kept_text(tmp_path / "policies", digest_of(FILE)) == FILE


def test_a_changed_text_is_not_taken_for_the_one_that_was_served(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_bytes(FILE)
    digest = watch(tmp_path).rules_of(bundle("b")).digest
    (tmp_path / "policies" / f"{digest}.toml").write_bytes(FILE + b"\n")
    with pytest.raises(BadInput, match="was changed"):
        rules_of(tmp_path / "policies", digest, bundle("b"))
    with pytest.raises(BadInput, match="it is not in"):
        rules_of(tmp_path / "policies", "0" * 16, bundle("b"))


def test_rules_are_made_anew_before_new_product_features_are_seen() -> None:
    used = bundle("b")
    rules = Rules.read(b'version = 1\nfilter = "clicks < 5"', used, "f")
    many = np.full((1, len(PRODUCT_FEATURES)), 9.0, np.float32)
    used.update_products(np.array([4], np.int32), many)
    answer = recommend(
        Request(n=60), empty_state(), used, rules.now().policy, NOW, rules=rules.now()
    ).recommendations
    assert 4 not in {one.item for one in answer}
