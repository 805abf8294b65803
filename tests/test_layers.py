"""The import contracts of pyproject.toml hold, and they can fail."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Import-linter over the packages in ``folder``, without a cache."""
    program = (
        "import sys; sys.path.insert(0, ''); from importlinter.cli import lint_imports_command as run; run()"
    )
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the packages that a test may spoil."""
    for package in ("reco_assets", "reco_serving"):
        shutil.copytree(CHECKOUT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "pyproject.toml", tmp_path)
    return tmp_path


def test_every_contract_holds() -> None:
    done = lint(CHECKOUT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("reco_assets/features/late.py", "import reco_assets.ranking", "Data flows one way"),
        ("reco_serving/late.py", "import reco_assets.platform.lake", "The service loads no orchestrator"),
        ("reco_assets/events/late.py", "import dagster", "Only the thin shells know Dagster"),
        ("reco_assets/events/late.py", "import reco_serving", "Nothing in the asset graph knows the service"),
        ("reco_assets/features/late.py", "import reco_assets.features.assets", "Pure modules do not lean"),
    ],
)
def test_an_import_against_the_road_is_found(copy: Path, module: str, line: str, contract: str) -> None:
    (copy / module).write_text(line + "\n", encoding="utf-8")
    done = lint(copy)
    assert done.returncode == 1
    broken = [row for row in done.stdout.splitlines() if " BROKEN" in row]
    assert any(row.startswith(contract) for row in broken), done.stdout
