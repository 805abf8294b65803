"""Each fault: how it is brought about, how it ends, and what must stand round the service for it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

import httpx

from benchmarks.process import free_port
from benchmarks.report import Value, log, process_tree
from benchmarks.served import Served
from benchmarks.supervised import Supervised, kill_redis, revive_redis
from benchmarks.wire import Connection
from reco_assets.errors import MissingDependency
from reco_assets.platform.promotion import promote, rollback
from reco_assets.platform.redis import connect
from reco_assets.platform.registry import Registry

#: What a slow Redis adds to each answer, seconds.
SLOW_SECONDS: Final = 0.05
_MEGABYTE: Final = 1_000_000
_EVENT: Final = {"event_type": "click", "product_id": "p1", "source": "benchmark"}


@dataclass
class Setting:
    """Where a fault happens.

    Attributes
    ----------
    environment
        Of the service, beside what the home's settings say.
    told
        What the fault itself has to report.
    """

    home: Served
    service: Supervised | None = None
    environment: dict[str, str] = field(default_factory=dict)
    told: dict[str, Value] = field(default_factory=dict)
    delay: float = 0.0
    process: int = 0

    def folder(self, name: str) -> Path:
        """Of the home."""
        return self.home.settings.home / name


def _nothing(setting: Setting) -> AbstractContextManager[object]:
    return nullcontext()


@dataclass(frozen=True)
class Kind:
    """A fault; ``mend`` says whether it has ended."""

    hurt: Callable[[Setting], None]
    mend: Callable[[Setting], bool]
    around: Callable[[Setting], AbstractContextManager[object]] = _nothing


def _kill_redis(setting: Setting) -> None:
    kill_redis(setting.home.settings)


def _revive_redis(setting: Setting) -> bool:
    revive_redis(setting.home.settings)
    return True


def _freeze_redis(setting: Setting) -> None:
    with connect(setting.home.settings) as client:
        setting.process = int(client.info("server")["process_id"])
    os.kill(setting.process, signal.SIGSTOP)


def _thaw_redis(setting: Setting) -> bool:
    os.kill(setting.process, signal.SIGCONT)
    return True


@contextmanager
def _behind_a_proxy(setting: Setting) -> Iterator[None]:
    """Redis by way of a proxy that holds back answers for ``setting.delay``."""
    port = free_port()
    setting.environment["RECO_REDIS_URL"] = f"redis://127.0.0.1:{port}/0"
    with socket.create_server(("127.0.0.1", port)) as listening:
        threading.Thread(target=_accept, args=(listening, setting), daemon=True).start()
        yield


def _accept(listening: socket.socket, setting: Setting) -> None:
    with suppress(OSError):  # the listening socket is closed in the end
        while True:
            near, _ = listening.accept()
            far = socket.create_connection(("127.0.0.1", setting.home.settings.redis_port))
            for source, target, late in ((near, far, False), (far, near, True)):
                threading.Thread(target=_pass, args=(source, target, late, setting), daemon=True).start()


def _pass(source: socket.socket, target: socket.socket, late: bool, setting: Setting) -> None:
    with suppress(OSError):
        while part := source.recv(65_536):
            if late and setting.delay:
                time.sleep(setting.delay)
            target.sendall(part)
    for one in (source, target):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def _slow_redis(setting: Setting) -> None:
    setting.delay = SLOW_SECONDS


def _fast_redis(setting: Setting) -> bool:
    setting.delay = 0.0
    return True


@contextmanager
def _over_a_dead_broker(setting: Setting) -> Iterator[None]:
    """The stream is a Kafka that is not there; events are sent all the while."""
    setting.environment |= {"RECO_STREAM": "kafka", "RECO_KAFKA_SERVERS": f"127.0.0.1:{free_port()}"}
    ended = threading.Event()
    statuses: list[int] = []

    def tell() -> None:
        connection = Connection(setting.home.settings.service_port, "/events")
        for number in count():
            if ended.wait(0.05):
                break
            at = {"event_id": f"e{number}", "user_id": f"user-{number}", "timestamp": time.time()}
            statuses.append(connection.exchange(json.dumps(_EVENT | at).encode())[0])
        connection.close()

    thread = threading.Thread(target=tell)
    setting.told["events"] = {}
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        # before the service is there, nobody answers
        setting.told["events"] = {str(one): statuses.count(one) for one in sorted(set(statuses) - {0})}


def _away(name: str, setting: Setting) -> None:
    folder = setting.folder(name)
    folder.mkdir(exist_ok=True)
    folder.rename(folder.with_name(f"{name}.away"))


def _back(name: str, setting: Setting) -> bool:
    folder = setting.folder(name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.with_name(f"{name}.away").rename(folder)
    return True


def _promote_damaged(setting: Setting) -> None:
    registry = Registry(setting.home.settings)
    version = setting.home.register(f"damaged-{time.time_ns()}")
    file = registry.folder(version) / "arrays" / "product_matrix.npy"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)
    promote(setting.home.settings, version, time.time_ns() // _MEGABYTE)


def _take_back(setting: Setting) -> bool:
    health = httpx.get(f"http://127.0.0.1:{setting.home.settings.service_port}/health", timeout=5.0).json()
    setting.told["refused"] = any("is refused" in one for one in health["missing"])
    rollback(setting.home.settings, time.time_ns() // _MEGABYTE)
    return False


@contextmanager
def _on_a_small_disk(setting: Setting) -> Iterator[None]:
    """What the service writes is on a disk of its own, of 32 MB."""
    places = [setting.folder(name) for name in ("serving", "spool", "bentoml")]
    mount = setting.home.folder / "small-disk"
    mount.mkdir(exist_ok=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(mount)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise MissingDependency(
            f"making a small disk: {made.stderr.strip()}",
            hint="run as root, or name the other faults with --only",
        )
    try:
        for place in places:
            shutil.rmtree(place, ignore_errors=True)
            (mount / place.name).mkdir()
            place.symlink_to(mount / place.name)
        yield
    finally:
        for place in places:
            place.unlink(missing_ok=True)
        subprocess.run(["umount", "-l", str(mount)], check=True)


def _fill_disk(setting: Setting) -> None:
    with suppress(OSError), (setting.folder("bentoml") / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(65_536))
    free = shutil.disk_usage(setting.folder("bentoml")).free
    log(f"{free} bytes are free")
    # a new champion cannot be kept, and events have no spool
    promote(setting.home.settings, setting.home.register("while-full", 90), time.time_ns() // _MEGABYTE)


def _empty_disk(setting: Setting) -> bool:
    (setting.folder("bentoml") / "filler").unlink()
    rollback(setting.home.settings, time.time_ns() // _MEGABYTE)
    return True


def _kill_worker(setting: Setting) -> None:
    service = setting.service
    assert service is not None
    assert service.pid is not None
    workers = _workers(service.pid)
    setting.told["workers"] = len(workers)
    os.kill(workers[0], signal.SIGKILL)


def _count_workers(setting: Setting) -> bool:
    service = setting.service
    assert service is not None
    assert service.pid is not None
    setting.told["workers_afterwards"] = len(_workers(service.pid))
    return False


def _workers(service: int) -> list[int]:
    """The processes that answer: those that have the service's code loaded."""
    found = []
    for process in process_tree(service)[1:]:
        with suppress(OSError):
            command = Path(f"/proc/{process}/cmdline").read_bytes()
            if b"_bentoml_impl.worker.service" in command:
                found.append(process)
    return found


def _still(setting: Setting) -> bool:
    return False


def _lose_everything(setting: Setting) -> None:
    """Redis, MLflow and the lake are gone, and then the service is killed, and started again."""
    service = setting.service
    assert service is not None
    kill_redis(setting.home.settings)
    _away("mlflow", setting)
    # where Redis was, nothing can be started: something else has taken its place
    _away("redis", setting)
    setting.folder("redis").touch()
    service.kill()


def _find_everything(setting: Setting) -> bool:
    setting.folder("redis").unlink()
    _back("redis", setting)
    _back("mlflow", setting)
    revive_redis(setting.home.settings)
    return True


def _moved(name: str) -> Kind:
    return Kind(lambda setting: _away(name, setting), lambda setting: _back(name, setting))


KINDS: Final[Mapping[str, Kind]] = {
    "redis_killed": Kind(_kill_redis, _revive_redis),
    "redis_frozen": Kind(_freeze_redis, _thaw_redis),
    "redis_slow": Kind(_slow_redis, _fast_redis, _behind_a_proxy),
    "stream_down": Kind(lambda setting: None, _still, _over_a_dead_broker),
    "mlflow_down": _moved("mlflow"),
    "lake_gone": _moved("lake"),
    "corrupt_bundle": Kind(_promote_damaged, _take_back),
    "disk_full": Kind(_fill_disk, _empty_disk, _on_a_small_disk),
    "worker_killed": Kind(_kill_worker, _count_workers),
    "everything_gone": Kind(_lose_everything, _find_everything),
}
