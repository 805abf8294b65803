"""The BentoML service: the endpoints of ``app.py`` under BentoML's workers, metrics and readiness."""

from __future__ import annotations

from typing import Final

import bentoml

from reco_assets.platform.settings import Settings
from reco_serving.app import Service

_APP = Service()


class Reco:
    """Product recommendations over HTTP."""

    async def __is_ready__(self) -> bool:
        """For balancers, on /readyz: only a worker with a bundle is worth asking."""
        return _APP.parts.current.loaded is not None


SERVICE: Final[bentoml.Service[Reco]] = bentoml.service(
    Reco,
    name="reco",
    workers=Settings().service_workers,
    # an access log line costs as much as decoding the request; latency is in /metrics
    logging={"access": {"enabled": False}},
    # spans that no exporter takes would cost a tenth of an answer
    tracing={"excluded_urls": "recommend,similar,trending"},
)
SERVICE.mount_asgi_app(_APP.asgi, path="/")
