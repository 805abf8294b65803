"""Which code is running."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path


@cache
def code_commit() -> str:
    """Commit of the checkout that runs, with ``+`` where it was changed; empty outside of one."""
    folder = Path(__file__).parent
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() if found.returncode == 0 else ""
