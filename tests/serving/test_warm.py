"""No visitor waits for a compiler: what an answer calls is compiled before the bundle serves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis

from reco_assets.catalogue.items import product_keys
from reco_assets.online import keys
from reco_assets.online.habits import encode_habits
from reco_assets.online.materialise import write_users
from reco_assets.platform.registry import Champion
from reco_assets.platform.settings import Settings
from reco_assets.recommender.newcomers import WORLDS, Newcomers
from reco_assets.recommender.types import Habits
from reco_serving.last_good import LastGood
from tests.online.test_materialise import bought, recents, users
from tests.recommender.shops import ranker
from tests.serving.bundles import NOW, bundle
from tests.serving.test_policy import FILE

#: The first request of each endpoint, by somebody who is known; then what else may be asked.
REQUESTS: list[tuple[str, dict[str, Any] | list[Any]]] = [
    ("/recommend", {"user_id": "ann", "session_id": "s"}),
    ("/recommend/batch", {"requests": [{"user_id": "ann"}, {"user_id": "stranger"}]}),
    ("/similar", {"product_id": "p3"}),
    ("/bought-together", {"user_id": "ann", "products": ["p1"], "cart": ["p2"]}),
    ("/trending", {}),
    ("/buy-again", {"user_id": "ann"}),
    ("/recently-viewed", {"user_id": "ann"}),
    ("/rank", {"user_id": "ann", "products": ["p1", "p2", "p3"]}),
    (
        "/events",
        {"event_id": "e1", "user_id": "ann", "session_id": "s", "event_type": "click",
         "product_id": "p8", "timestamp": "2026-03-01T12:00:00Z"},
    ),
    ("/recommend", {"user_id": "ann", "session_id": "s"}),
    ("/recommend", {"user_id": "stranger", "context": {"products": ["p1"], "cart": ["p2"]}}),
    ("/recommend", {"user_id": "ann", "category": "tools", "num_recommendations": 50}),
    ("/recommend", {"user_id": "ann", "filters": "price < 30"}),
    ("/trending", {"category": "tools"}),
    ("/trending", {"user_id": "ann", "filters": "price < 30", "exclude": ["p1"]}),
    ("/similar", {"product_id": "p3", "user_id": "ann", "filters": "price < 30", "category": "tools"}),
    ("/rank", {"user_id": "stranger", "products": ["p1", "gone"]}),
]  # fmt: skip

#: A policy with a rule of every kind that is compiled.
RULES = FILE.replace(b"version = 1", b"version = 1\nmax_per_brand = 0.4\ndiversity = 0.3\nexplore = 0.5", 1)


@pytest.mark.parametrize(
    ("policy", "called"),
    [
        (b"", ["trees._score", "exploration._picks"]),
        (RULES, ["policy.boosts._boosted", "variety._greedy", "exploration._picks"]),
    ],
    ids=["the bundle's own rules", "rules of every kind"],
)
def test_the_first_requests_compile_nothing(
    tmp_path: Path, redis_settings: Settings, store: redis.Redis, policy: bytes, called: list[str]
) -> None:
    settings = Settings(home=tmp_path)
    if policy:
        settings.policy_file.write_bytes(policy)
    order = np.array([[0, 1, 2], [2, 1, 0]], np.int32)
    new = Newcomers(np.array([10, 11, 12], np.int32), np.tile(order, (WORLDS // 2, 1)))
    whole = replace(bundle("warm"), ranker=ranker(), newcomers=new)
    LastGood.of(settings).keep(Champion("1", whole.save(tmp_path / "made")))
    events = [("ann", f"p{at}", kind, at) for at, kind in enumerate(("click", "add_to_cart", "purchase"))]
    write_users(store, users(ann=2.0), recents(*events), bought(ann=["p2"]), ttl_days=1)
    habits = Habits(np.array([4, 5], np.int32), np.array([2.0, 1.0], np.float32), NOW)
    store.set(keys.habits("ann"), encode_habits(product_keys(["p4", "p5"]), habits))
    done = subprocess.run(
        [sys.executable, "-m", "tests.serving.first_requests"],
        input=json.dumps(REQUESTS),
        env=os.environ
        | {
            "RECO_HOME": str(tmp_path),
            "RECO_REDIS_PORT": str(redis_settings.redis_port),
            # nobody is in a hurry: the whole way is to be gone on a busy machine too
            "RECO_DEADLINE_MS": "10000",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {path for path, _ in REQUESTS} == set(told["paths"])
    assert set(told["statuses"]) == {200, 202}
    assert set(told["rungs"]) == {"full", None}
    assert set(called) <= set(told["known"])
    assert told["compiled"] == []
