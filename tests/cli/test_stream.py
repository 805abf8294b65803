"""``reco stream``: a micro-batch a line, one follower a home, an end that is asked for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reco_assets.events.decided import Exposure, encode
from reco_assets.events.decisions import decisions_stream
from reco_assets.events.drain import waiting
from reco_assets.experiments.board import start
from reco_assets.experiments.metrics import guardrail
from reco_assets.experiments.store import Store
from reco_assets.platform.lake import open_lake
from reco_assets.platform.redis import open_redis, redis_runs, stop_redis
from reco_assets.platform.settings import Settings
from reco_assets.platform.streams.open import open_stream
from reco_assets.streaming.follow import alone
from tests.events.answers import decided
from tests.experiments.builders import experiment
from tests.online.conftest import free_port
from tests.serving.conftest import until


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """An empty home in which nothing runs yet."""
    settings = Settings(home=tmp_path, redis_port=free_port(), stream_seconds=0.1)
    yield settings
    stop_redis(settings)


def command(settings: Settings, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """The command line of ``reco stream`` and its environment."""
    told = {
        "RECO_HOME": str(settings.home),
        "RECO_REDIS_PORT": str(settings.redis_port),
        "RECO_STREAM_SECONDS": str(settings.stream_seconds),
    }
    return [sys.executable, "-m", "reco_assets.cli.main", "stream", *arguments], os.environ | told


def stream(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``reco stream`` to its end."""
    words, environment = command(settings, *arguments)
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)


def collect(settings: Settings, *products: str) -> None:
    """Append a click on each product to the stream; one without a name is bad."""
    told: dict[str, str | None] = {
        "user_id": "u1",
        "event_type": "click",
        "timestamp": "2024-05-01T12:00:00Z",
    }
    records = [told | {"event_id": product, "product_id": product or None} for product in products]
    events = open_stream(settings)
    events.append([("u1", json.dumps(record).encode()) for record in records])
    events.close()


def test_once_starts_redis_and_brings_in_what_waits(settings: Settings) -> None:
    empty = stream(settings, "--once", "--quiet")
    assert (empty.returncode, empty.stdout, empty.stderr) == (0, "", "")
    assert redis_runs(settings)
    collect(settings, "p1", "p2", "")

    done = stream(settings, "--once", "--json")

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert {name: told[name] for name in ("records", "accepted", "quarantined", "waiting", "users")} == {
        "records": 3,
        "accepted": 2,
        "quarantined": 1,
        "waiting": 0,
        "users": 1,
    }
    assert list(told["seconds"]) == ["drain", "interactions", "windows", "features", "online"]
    assert open_lake(settings).scan("silver/interactions").collect().height == 2


def harmed(settings: Settings) -> None:
    """An experiment two hours old, 300 visitors a minute ago, of whom the treated bought for a fifth."""
    now = datetime.now(UTC)
    began = int((now - timedelta(hours=2)).timestamp() * 1e6)
    with open_redis(settings) as client:
        one = experiment("x", guardrails=(guardrail("revenue_per_user:5%"),))
        Store.of(settings, client).change("start", began, lambda board: start(board, one, (0.5, 0.5), began))
    visitors = [(f"u{n}", ("control", "treatment")[n % 2]) for n in range(300)]
    answers = [
        decided(f"r-{user}", user, "p1", at=now - timedelta(minutes=1), exposures=[Exposure("x", variant, 1)])
        for user, variant in visitors
    ]
    answered = decisions_stream(settings)
    answered.append([(f"u{n}", encode(one)) for n, one in enumerate(answers)])
    answered.close()
    bought = [
        {
            "event_id": f"e-{user}",
            "user_id": user,
            "event_type": "purchase",
            "product_id": "p1",
            "timestamp": (now - timedelta(seconds=30)).isoformat(),
            "price": (2.0 if variant == "treatment" else 10.0) + n % 7,
            "quantity": 1,
        }
        for n, (user, variant) in enumerate(visitors)
    ]
    events = open_stream(settings)
    events.append([(str(one["user_id"]), json.dumps(one).encode()) for one in bought])
    events.close()


def test_a_variant_that_harms_is_taken_out_without_dagster(settings: Settings) -> None:
    harmed(settings)
    done = stream(settings, "--once", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    [stopped] = json.loads(done.stdout)["stopped"]
    assert stopped.startswith("stopped treatment of x: guardrail revenue_per_user:5%")
    with open_redis(settings) as client:
        assert not Store.of(settings, client).read().experiment("x").running


def test_experiments_that_cannot_be_judged_are_told_and_the_stream_goes_on(settings: Settings) -> None:
    harmed(settings)
    results = settings.home / "lake" / "gold" / "experiment_results"
    results.parent.mkdir(parents=True)
    results.write_text("a file where the table should be")
    done = stream(settings, "--once", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["accepted"] == 300
    assert done.stderr.startswith("the experiments were not judged: ")


def test_a_second_follower_is_told_that_there_is_one(settings: Settings) -> None:
    with alone(settings) as mine:
        assert mine
        done = stream(settings, "--once")
    assert done.returncode == 1
    error, hint = done.stderr.splitlines()
    assert error == "error: following the stream events: another process of this home does"
    assert hint.startswith("hint: ")


def test_it_follows_until_it_is_interrupted(settings: Settings) -> None:
    words, environment = command(settings)
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        until(lambda: open_lake(settings).exists("silver/interactions"), "the first micro-batch")
        collect(settings, "p1")
        lake, events = open_lake(settings), open_stream(settings)
        until(lambda: waiting(lake, events) == 0, "the record is in the lake")
        events.close()
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate()
    assert (process.returncode, errors) == (0, b"")
    assert "1 records" in said.decode()
