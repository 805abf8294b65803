"""Running the service in the foreground."""

from __future__ import annotations

import logging
import os
import socket
from typing import Final

from reco_assets.errors import MissingDependency
from reco_assets.platform.redis import open_redis
from reco_assets.platform.settings import Settings
from reco_serving.keyring import check_exposed
from reco_serving.parent import starts_workers

log: Final = logging.getLogger("reco.service")


def serve(settings: Settings) -> None:
    """Serve until interrupted; starts the embedded Redis of this home where none runs.

    Raises
    ------
    MissingDependency
        The port is taken.
    BadInput
        Others could reach it, and nobody needs a key.
    """
    check_exposed(settings)
    host, port = settings.service_host, settings.service_port
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise MissingDependency(
                f"starting the service: {host}:{port} cannot be used: {error.strerror}",
                hint="stop what listens there, or set RECO_SERVICE_PORT to a free port",
            ) from error
    try:
        open_redis(settings).close()
    except (MissingDependency, OSError) as error:
        # what can be answered without it is; /health says what is missing, and when it is back
        log.warning("starting without Redis: %s", error)
    os.environ["RECO_HOME"] = str(settings.home.resolve())
    # its metrics lie in files, which another service of this machine must not sweep away
    os.environ.setdefault("BENTOML_HOME", str(settings.home.resolve() / "bentoml"))
    starts_workers()
    # read by BentoML and its workers when they start
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from reco_serving.service import SERVICE

    SERVICE.serve_http(host=host, port=port)
