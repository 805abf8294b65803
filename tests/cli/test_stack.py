"""Background processes: started once, waited for, stopped with their children, never lost."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reco_assets.cli.stack import Process, processes
from reco_assets.errors import MissingDependency
from reco_assets.platform.settings import Settings
from tests.online.conftest import free_port

LISTEN = (
    "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(600)"
)
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {LISTEN!r}, sys.argv[1]])"


def process(folder: Path, program: str, port: int | None = None) -> Process:
    number = port or free_port()
    command = (sys.executable, "-c", program, str(number))
    return Process("listener", command, number, f"http://127.0.0.1:{number}", folder)


def test_a_port_is_kept_for_the_server_that_is_to_listen_there() -> None:
    port = free_port()
    with socket.socket() as another, pytest.raises(OSError, match="in use"):
        another.bind(("127.0.0.1", port))
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", port)) != 0
    with socket.create_server(("127.0.0.1", port)), socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Process]:
    made = process(tmp_path / "run", PARENT)
    yield made
    made.stop()


def test_it_starts_answers_and_stops_with_its_children(listener: Process) -> None:
    assert listener.pid() is None
    child = listener.start(dict(os.environ))
    listener.wait()
    assert listener.pid() == child.pid
    assert listener.stop() is True
    assert listener.pid() is None
    assert child.wait() != 0
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", listener.port)) != 0


def test_stopping_what_does_not_run_is_no_error(listener: Process) -> None:
    assert listener.stop() is False


def test_a_process_id_left_by_a_crash_is_not_taken_for_the_process(listener: Process) -> None:
    listener.folder.mkdir()
    listener.lock.write_text(str(os.getpid()))  # the id now belongs to somebody else
    assert listener.pid() is None
    assert listener.stop() is False


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        wanted = process(tmp_path, LISTEN, port=taken.getsockname()[1])
        with pytest.raises(MissingDependency, match=f"port {wanted.port} on 127.0.0.1 is taken"):
            wanted.start(dict(os.environ))


def test_a_process_that_ends_at_once_says_why(tmp_path: Path) -> None:
    failing = process(tmp_path, "import sys; sys.exit('no bundle has been promoted')")
    child = failing.start(dict(os.environ))
    with pytest.raises(MissingDependency, match="no bundle has been promoted"):
        failing.wait()
    assert child.wait() == 1


def test_the_service_and_dagster_are_on_ports_of_their_own() -> None:
    ports = {made.name: made.port for made in processes(Settings(service_port=3111))}
    assert ports == {"service": 3111, "dagster": 3070}


def test_down_with_nothing_running_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "reco_assets.cli.main", "--home", str(tmp_path), "down"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"RECO_REDIS_PORT": str(free_port())},
    )
    assert done.stdout == "nothing was running\n"


def test_down_leaves_alone_what_another_home_has_on_the_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        done = subprocess.run(
            [sys.executable, "-m", "reco_assets.cli.main", "--home", str(tmp_path), "down"],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"RECO_REDIS_PORT": str(other.getsockname()[1])},
        )
    assert done.stdout == "nothing was running\n"
