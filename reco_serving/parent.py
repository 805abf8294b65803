"""The process that starts the workers: where it is killed without warning, they end too."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Final

_STARTER: Final = "RECO_STARTED_BY"
_LOOK_SECONDS: Final = 1.0


def starts_workers() -> None:
    """Say to workers, before they are started, that this process starts them.

    A worker that asks the system who its parent is may be too late: that takes seconds of imports.
    """
    os.environ[_STARTER] = str(os.getpid())


def parent() -> int:
    """Number of the process that started this worker."""
    return int(os.environ.get(_STARTER) or os.getppid())


async def end_with(starter: int) -> None:
    """End this worker when ``starter`` is gone: left alone, it would keep the port."""
    while os.getppid() == starter:
        await asyncio.sleep(_LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
