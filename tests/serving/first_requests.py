"""One worker of the service in this process, and what its first requests compile; run as a module.

It reads a list of (path, body) from its input, and writes the statuses and rungs of the answers, the paths
that are asked by POST, and each compiled function that the requests called with types it did not know yet.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import httpx
from numba.core.dispatcher import Dispatcher

from reco_serving.app import Service


def known() -> set[tuple[str, str]]:
    """Each compiled function of the project with each list of types that it is compiled for by now."""
    functions = {
        one
        for name, module in list(sys.modules.items())
        if name.startswith(("reco_assets.", "reco_serving."))
        for one in vars(module).values()
        if isinstance(one, Dispatcher)
    }
    return {
        (f"{one.py_func.__module__}.{one.py_func.__qualname__}", str(types))
        for one in functions
        for types in one.signatures
    }


async def _ask(service: Service, path: str, body: object) -> tuple[int, Any]:
    transport = httpx.ASGITransport(service.hot[path])
    async with httpx.AsyncClient(transport=transport, base_url="http://worker") as client:
        response = await client.post(path, json=body)
    return response.status_code, response.json()


async def _asked(requests: list[tuple[str, object]]) -> dict[str, object]:
    service = Service()
    async with service.asgi.router.lifespan_context(service.asgi):
        warm = known()
        answers = [await _ask(service, path, body) for path, body in requests]
        return {
            "statuses": [status for status, _ in answers],
            "rungs": [told.get("rung") for _, told in answers],
            "known": sorted({name.removeprefix("reco_assets.recommender.") for name, _ in warm}),
            "compiled": sorted(known() - warm),
            "paths": sorted(service.hot),
        }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(_asked(json.load(sys.stdin)))))
