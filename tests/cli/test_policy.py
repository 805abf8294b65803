"""``reco policy`` against a promoted bundle and a real online store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reco_assets.cli.main import run
from reco_assets.online.materialise import write_users
from reco_assets.platform.redis import open_redis
from reco_assets.recommender.policy.document import digest_of
from reco_assets.recommender.policy.kept import keep
from tests.online.test_materialise import bought, recents, users
from tests.serving.bundles import PRODUCTS
from tests.serving.conftest import Running, fresh, redis_settings, service, store

__all__ = ["fresh", "redis_settings", "service", "store"]

GOOD = """\
version = 1
filter = "brand != 'brand 3'"
max_promoted = 0.2

[[boosts]]
name = "dear"
when = "price > 1000"
multiply = 2.0

[[promotions]]
campaign = "spring"
products = ["p0", "gone"]
share = 0.2

[[promotions]]
campaign = "last year"
when = "brand = 'brand 1'"
share = 0.05
end = 2020-01-01T00:00:00Z
"""


@pytest.fixture
def home(fresh: Running, monkeypatch: pytest.MonkeyPatch) -> Running:
    """The home of the running service, which the settings of this process point at."""
    monkeypatch.setenv("RECO_HOME", str(fresh.settings.home))
    monkeypatch.setenv("RECO_REDIS_PORT", str(fresh.settings.redis_port))
    monkeypatch.setenv("COLUMNS", "200")
    return fresh


def file(folder: Path, text: str, name: str = "policy.toml") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def test_a_good_file_is_told_with_what_looks_odd(
    home: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["policy", "check", file(tmp_path, GOOD), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["products"], told["shown_to_strangers"]) == (PRODUCTS, 48)
    assert told["digest"] == digest_of(GOOD.encode())
    assert [(one["field"], one["products"], one["warning"]) for one in told["rules"]] == [
        ("filter", 48, ""),
        ("boosts[0] dear", 0, "it is for no product"),
        ("promotions[0] spring", 1, "there is no product gone"),
        ("promotions[1] last year", 12, "it is over"),
    ]
    assert run(["policy", "check", str(tmp_path / "policy.toml")]) == 0
    assert "It can be served" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "version = 1\nfilter = 'prise < 5'",
            "filter: column 1 of 'prise < 5': products have no column",
        ),
        ("version = 1\n[age]\ncolumn = 'brand'", "age.column: products have no column of numbers 'brand'"),
        (
            "version = 1\n[region]\ncolumn = 'price'",
            "region.column: products have no column of texts",
        ),
        ("version = 1\nmax_per_brnad = 0.4", "unknown field `max_per_brnad`"),
        ("version = 1\nexplore = 1.5", "explore: Expected `float` <= 1.0"),
        ("version = 1\n[[promotions]]\ncampaign = 'x'\nshare = 0.2", "promotion 'x' says no products"),
        ("version = 1\n[[boosts]]\nname = 'a'\nwhen = 'price >'", "boosts[0].when: column 8 of 'price >'"),
        ("version =", "is not TOML"),
    ],
)
def test_a_bad_file_is_refused_with_its_field(
    home: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    assert run(["policy", "check", file(tmp_path, text)]) == 1
    assert said in capsys.readouterr().err


def test_what_changes_is_tried_on_known_users(
    home: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_redis(home.settings) as client:
        write_users(
            client, users(ann=1.0, bob=2.0), recents(("ann", "p1", "click", 0)), bought(), ttl_days=30
        )
    old = file(tmp_path, "version = 1\nexplore = 0.0", "old.toml")
    new = file(tmp_path, "version = 1\nexplore = 0.0\nfilter = \"category = 'tools'\"", "new.toml")
    assert run(["policy", "diff", old, new, "-n", "30", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["fields"] == [{"field": "filter", "old": None, "new": "category = 'tools'"}]
    assert (told["lists"], told["changed"], told["shorter"]) == (2, 2, 2)
    assert all(int(product[1:]) % 3 == 2 for product in told["into"])
    assert all(int(product[1:]) % 3 != 2 for product in told["out"])
    assert run(["policy", "diff", old, old, "--json"]) == 0
    same = json.loads(capsys.readouterr().out)
    assert (same["fields"], same["changed"], same["reordered"]) == ([], 0, 0)
    assert run(["policy", "diff", old, new]) == 0
    assert "Of 2 answers, 2 have other products" in capsys.readouterr().out


def test_a_policy_that_was_served_is_found_by_its_digest(
    home: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_redis(home.settings) as client:
        write_users(client, users(ann=1.0), recents(), bought(), ttl_days=30)
    digest = keep(home.settings.policies_folder, GOOD.encode())
    assert run(["policy", "show", "--digest", digest, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"policy": digest, "digest": digest, "text": GOOD}
    assert run(["policy", "diff", digest, file(tmp_path, GOOD), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["fields"], told["changed"], told["promoted"]) == ([], 0, {"spring": 1})


def test_without_a_file_it_says_what_holds(home: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "show"]) == 1
    assert "without a file the bundle's rules hold" in capsys.readouterr().err


def test_nobody_known_is_said(home: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = file(tmp_path, GOOD)
    assert run(["policy", "diff", path, path]) == 1
    assert "the online store has none" in capsys.readouterr().err
