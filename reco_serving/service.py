"""The BentoML service: the endpoints of ``app.py`` under BentoML's workers, metrics and readiness."""

from __future__ import annotations

from typing import Final

import bentoml
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from reco_assets.platform.settings import Settings
from reco_serving.access import PATHS, named
from reco_serving.app import Service
from reco_serving.http import refused

_APP = Service()
#: Where a request keeps its path while the counters see a name.
REAL: Final = "reco.path"


class Reco:
    """Product recommendations over HTTP."""

    async def __is_ready__(self) -> bool:
        """For balancers, on /readyz: only a worker with a bundle is worth asking."""
        return _APP.parts.current.loaded is not None


class Nameless:
    """Shows BentoML's counters the path's name in the table of access, for it makes a label of the path.

    Ids in a path, or whatever anybody asks for, would each be a time series for ever.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""
        if scope["type"] != "lifespan" and scope["path"] not in PATHS:
            scope = {**scope, "path": named(scope["path"]), REAL: scope["path"]}
        await self._app(scope, receive, send)


class Straight:
    """Answers the hot endpoints behind BentoML's first middleware, which counts requests.

    The others give every request a task, a timer that outlives it by a minute, a context and a span
    that nobody reads: half of the processor time of a small answer. What they would protect from is
    prevented otherwise: a body must come in time, and all that an answer waits for has a deadline.
    Whatever is asked comes through the door first.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if REAL in scope:
            scope["path"] = scope.pop(REAL)
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        await _APP.door.enter(_APP.straight(scope["path"]) or self._app, scope, receive, send)


class RecoService(bentoml.Service[Reco]):  # type: ignore[misc]
    """BentoML's service with the hot endpoints ahead of most of its middlewares."""

    def to_asgi(self, is_main: bool = True) -> ASGIApp:
        """BentoML's application, which counts requests first, then asks :class:`Straight`."""
        made: Starlette = super().to_asgi(is_main=is_main)
        made.user_middleware.insert(1, Middleware(Straight))
        made.user_middleware.insert(0, Middleware(Nameless))
        # what neither BentoML nor the mounted application has
        made.add_exception_handler(HTTPException, refused)
        return made


SERVICE: Final[bentoml.Service[Reco]] = bentoml.service(
    Reco,
    name="reco",
    service_class=RecoService,
    workers=Settings().service_workers,
    # an access log line costs as much as decoding the request; latency is in /metrics
    logging={"access": {"enabled": False}},
)
SERVICE.mount_asgi_app(_APP.asgi, path="/")
