"""``reco promote`` and ``reco rollback`` against the running service: what they say is what it serves."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

from reco_assets.platform.registry import Registry
from tests.serving.bundles import damage
from tests.serving.conftest import Running

_SWAPS = r'reco_swaps_total\{outcome="(\w+)"\} (\S+)'


def reco(service: Running, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "RECO_HOME": str(service.settings.home),
        "RECO_REDIS_PORT": str(service.settings.redis_port),
        "RECO_SERVICE_PORT": str(service.settings.service_port),
    }
    command = [sys.executable, "-m", "reco_assets.cli.main", *arguments, "--wait", "60"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def serving(service: Running) -> object:
    return service.recommend(user_id="u")["model_version"]


def swaps(service: Running) -> dict[str, int]:
    """What became of the champions so far, by outcome."""
    told = service.client.get("/metrics").text
    return {outcome: int(float(count)) for outcome, count in re.findall(_SWAPS, told)}


def test_a_version_is_promoted_and_taken_back(fresh: Running) -> None:
    before, counted = serving(fresh), swaps(fresh)
    version = fresh.register("by-hand")
    told = json.loads(reco(fresh, "promote", version, "--json").stdout)
    assert (told["version"], told["serves"]) == (version, True)
    assert serving(fresh) == "by-hand"
    back = reco(fresh, "rollback")
    assert f"instead of {version}; it serves after" in back.stdout
    assert serving(fresh) == before
    # what served before is kept, and nothing is loaded or tried to go back to it
    assert swaps(fresh) == counted | {"served": counted["served"] + 1, "returned": counted["returned"] + 1}


def test_a_damaged_version_is_refused_and_the_old_one_stays(fresh: Running) -> None:
    before = serving(fresh)
    version = fresh.register("damaged")
    damage(Registry(fresh.settings).folder(version))
    done = reco(fresh, "promote", version)
    assert done.returncode == 1
    assert f"version {version} is refused" in done.stderr
    assert "product_matrix.npy is not what was written" in done.stderr
    assert serving(fresh) == before
    assert "is refused" in str(fresh.health()["missing"])
    assert 'reco_swaps_total{outcome="refused"}' in fresh.client.get("/metrics").text
    assert reco(fresh, "rollback").returncode == 0
    assert fresh.health()["missing"] == []


def test_a_version_that_nobody_knows_changes_nothing(fresh: Running) -> None:
    done = reco(fresh, "promote", "9999")
    assert done.returncode == 1
    assert "the registry has none" in done.stderr
