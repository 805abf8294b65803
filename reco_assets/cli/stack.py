"""``reco up`` and ``reco down``: the engine's processes in the background, each with a log."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from reco_assets.errors import MissingDependency
from reco_assets.platform.settings import Settings

DAGSTER_PORT: Final = 3070
_CHECKOUT: Final = Path(__file__).parents[2]
_START_SECONDS: Final = 180.0
_STOP_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Process:
    """One background process: what to run, and the port that says it is there."""

    name: str
    command: tuple[str, ...]
    port: int
    url: str
    folder: Path

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self.folder / f"{self.name}.log"

    @property
    def lock(self) -> Path:
        """Holds its process id, and is locked for as long as it lives."""
        return self.folder / f"{self.name}.pid"

    def pid(self) -> int | None:
        """Its process id, or None where it does not run: the lock falls with the process."""
        if not self.lock.exists():
            return None
        with self.lock.open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read())
        return None

    def start(self, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        """Start it in a session of its own, to outlive this process.

        Raises MissingDependency where its port is taken.
        """
        if _answers(self.port):
            raise MissingDependency(
                f"starting {self.name}: port {self.port} on 127.0.0.1 is taken",
                hint="stop what listens there"
                + (", or set RECO_SERVICE_PORT to a free port" if self.name == "service" else ""),
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.lock.open("w") as lock, self.log.open("ab") as log:
            fcntl.flock(lock, fcntl.LOCK_EX)
            child = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=_CHECKOUT,
                start_new_session=True,
                pass_fds=(lock.fileno(),),
            )
            lock.write(str(child.pid))
        return child

    def wait(self) -> None:
        """Return when it answers on its port; raises MissingDependency where it ends instead."""
        end = time.monotonic() + _START_SECONDS
        while not _answers(self.port):
            if self.pid() is None or time.monotonic() > end:
                lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
                last = lines[-1] if lines else "it said nothing"
                raise MissingDependency(f"starting {self.name}: {last}", hint=f"read {self.log}")
            time.sleep(0.2)

    def stop(self) -> bool:
        """End it and its children; whether it was running."""
        pid = self.pid()
        if pid is None:
            return False
        end = time.monotonic() + _STOP_SECONDS
        with suppress(ProcessLookupError):  # it may end by itself at any moment
            os.killpg(pid, signal.SIGTERM)
            while self.pid() is not None and time.monotonic() < end:
                time.sleep(0.1)
            os.killpg(pid, signal.SIGKILL)  # whoever of its children did not listen
        while _answers(self.port) and time.monotonic() < end:
            time.sleep(0.05)  # a child that was killed holds the port until the system has buried it
        self.lock.unlink(missing_ok=True)
        return True


def processes(settings: Settings) -> tuple[Process, ...]:
    """The processes beside Redis, in the order in which they start."""
    folder = settings.home.resolve() / "run"
    reco = (sys.executable, "-m", "reco_assets.cli.main", "--home", str(settings.home.resolve()))
    dagster = (sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml", "-h", "127.0.0.1")
    service, webserver = settings.service_port, DAGSTER_PORT
    return (
        Process("service", (*reco, "serve"), service, f"http://{settings.service_host}:{service}", folder),
        Process(
            "dagster", (*dagster, "-p", str(webserver)), webserver, f"http://127.0.0.1:{webserver}", folder
        ),
    )


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def up(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Start Redis, the service and Dagster in the background, and say where they answer.

    What already runs stays as it is. Logs are in the folder `run` of the home folder.

    Examples:

    * `reco up`

    * `RECO_SERVICE_PORT=8080 reco up --json`
    """
    from reco_assets.platform.redis import open_redis, redis_shown

    settings = Settings()
    environment = os.environ | {
        "RECO_HOME": str(settings.home.resolve()),
        "DAGSTER_HOME": os.environ.get("DAGSTER_HOME") or str(_CHECKOUT / "dagster_home"),
    }
    open_redis(settings).close()
    answers = {"redis": redis_shown(settings)}
    started: list[subprocess.Popen[bytes]] = []
    for process in processes(settings):
        if process.pid() is None:
            started.append(process.start(environment))
        process.wait()
        answers[process.name] = process.url
    if as_json:
        typer.echo(json.dumps(answers))
        return
    for name, url in answers.items():
        typer.echo(f"{name:<8} {url}")
    typer.echo(f"logs     {settings.home / 'run'}")


def down(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Stop what `reco up` started, the newest first.

    Examples:

    * `reco down`
    """
    from reco_assets.platform.redis import stop_redis

    settings = Settings()
    stopped = [process.name for process in reversed(processes(settings)) if process.stop()]
    if stop_redis(settings):
        stopped.append("redis")
    if as_json:
        typer.echo(json.dumps({"stopped": stopped}))
    else:
        typer.echo(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")
