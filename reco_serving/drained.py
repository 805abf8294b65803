"""Decisions that are in the lake alone, read by a process that ends afterwards: the service loads no lake."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final

from reco_assets.errors import MissingDependency
from reco_assets.events.decided import Decided, decode
from reco_assets.platform.settings import Settings
from reco_serving.recent import moment_of

#: An object store that is gone is tried for minutes otherwise.
PATIENCE_SECONDS: Final = 30.0
_LOOKUP: Final = "reco_assets.events.decision_lookup"


def in_lake(settings: Settings, recommendation_id: str, seconds: float = PATIENCE_SECONDS) -> Decided | None:
    """The decision with that id in ``raw/decisions``; None where the lake does not have it.

    Raises
    ------
    MissingDependency
        The lake cannot be read, or not within ``seconds``.
    """
    moment = moment_of(recommendation_id)
    if moment is None:
        return None
    try:
        done = subprocess.run(
            [sys.executable, "-m", _LOOKUP],
            # not as arguments, which everybody on the machine can see, and which cannot hold every text
            input=json.dumps([settings.model_dump_json(), recommendation_id, moment]).encode(),
            capture_output=True,
            check=False,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as error:
        raise MissingDependency(
            f"reading raw/decisions in {settings.lake_root}: no answer within {seconds:g} s"
        ) from error
    if done.returncode != 0:
        reason = (done.stderr.decode(errors="replace").strip().splitlines() or ["it ended without a word"])[
            -1
        ]
        raise MissingDependency(f"reading raw/decisions in {settings.lake_root}: {reason}")
    return decode(done.stdout)[0] if done.stdout else None
