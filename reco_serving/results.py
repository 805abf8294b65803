"""The page on /experiments: what this worker knows of the experiments, and their newest findings."""

from __future__ import annotations

import asyncio
import logging
from typing import Final, cast

import redis
import redis.asyncio

from reco_assets.experiments.board import Board
from reco_assets.experiments.page import page
from reco_assets.experiments.published import published
from reco_assets.online import keys

_DEADLINE_SECONDS: Final = 2.0

log = logging.getLogger("reco.experiments")


async def results_page(board: Board, client: redis.asyncio.Redis, now_us: int) -> str:
    """HTML; without Redis the experiments are there, and no findings."""
    try:
        async with asyncio.timeout(_DEADLINE_SECONDS):
            written = await cast(
                "asyncio.Future[dict[bytes, bytes]]", client.hgetall(keys.EXPERIMENT_FINDINGS)
            )
    except (redis.RedisError, OSError, TimeoutError) as error:
        log.warning("the findings cannot be read: %s: %s", type(error).__name__, error)
        written = {}
    return page(board, published(written), now_us)
