"""A load generator: blocking sockets with keep-alive, in a process of its own, nothing but the wire."""

from __future__ import annotations

import multiprocessing
import queue
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Final

import numpy as np

_TIMEOUT_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Outcome:
    """What came of a load.

    Attributes
    ----------
    milliseconds
        Of each right answer.
    failed
        Statuses of the others; 0 where there was no whole answer.
    """

    milliseconds: Sequence[float]
    failed: Sequence[int]
    seconds: float

    @property
    def errors(self) -> int:
        """How many were not answered rightly."""
        return len(self.failed)

    def percentile(self, share: float) -> float:
        """Latency that ``share`` per cent stay below, ms; NaN where nothing was answered."""
        if not len(self.milliseconds):
            return float("nan")
        return round(float(np.percentile(np.array(self.milliseconds), share)), 3)

    def per_second(self) -> float:
        """Right answers a second."""
        return round(len(self.milliseconds) / self.seconds, 1)


def closed_loop(port: int, path: str, bodies: Sequence[bytes], concurrency: int, seconds: float) -> Outcome:
    """``concurrency`` clients that each ask again as soon as they are answered."""
    return _apart(_closed_loop, port, path, bodies, concurrency, seconds)


def open_loop(port: int, path: str, bodies: Sequence[bytes], rate: float, seconds: float) -> Outcome:
    """``rate`` requests a second whether or not the earlier ones are answered.

    A latency counts from the moment at which the request was due, so that a server that stalls is
    charged for all who would have come meanwhile.
    """
    return _apart(_open_loop, port, path, bodies, rate, seconds)


class Connection:
    """One keep-alive connection."""

    def __init__(self, port: int, path: str) -> None:
        self._head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n".encode()
        self._port = port
        self._socket: socket.socket | None = None

    def ask(self, body: bytes) -> int:
        """Send ``body`` and read the answer; its status, 0 where there is no whole answer."""
        return self.exchange(body)[0]

    def exchange(self, body: bytes, headers: bytes = b"") -> tuple[int, bytes]:
        """Send ``body`` with more ``headers`` (each with its line end); status and body of the answer.

        The status is 0 where there is no whole answer. A connection that was kept and has been closed
        meanwhile is made anew, once, as every client does.
        """
        kept = self._socket is not None
        status, content = self._once(body, headers)
        return self._once(body, headers) if kept and not status else (status, content)

    def _once(self, body: bytes, headers: bytes) -> tuple[int, bytes]:
        try:
            if self._socket is None:
                self._socket = self._connect()
            told = b"%b%bContent-Length: %d\r\n\r\n%b" % (self._head, headers, len(body), body)
            self._socket.sendall(told)
            received = b""
            while True:
                more = self._socket.recv(65_536)
                if not more:
                    raise ConnectionError("closed by the server")
                received += more
                end = received.find(b"\r\n\r\n")
                if end >= 0:
                    head = received[:end].lower()
                    length = head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]
                    if len(received) >= end + 4 + int(length):
                        return int(received[9:12]), received[end + 4 :]
        except OSError:
            self.close()
            return 0, b""

    def close(self) -> None:
        """Close the connection; the next question makes a new one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connect(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self._port), timeout=_TIMEOUT_SECONDS)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made


def _right(status: int) -> bool:
    return 200 <= status < 300


def _closed_loop(port: int, path: str, bodies: Sequence[bytes], concurrency: int, seconds: float) -> Outcome:
    taken: list[list[float]] = [[] for _ in range(concurrency)]
    failed: list[int] = []
    start = time.perf_counter()
    end = start + seconds

    def client(number: int) -> None:
        connection = Connection(port, path)
        for body in islice(cycle(bodies), number * len(bodies) // concurrency, None):
            begun = time.perf_counter()
            if begun >= end:
                break
            status = connection.ask(body)
            if _right(status):
                taken[number].append((time.perf_counter() - begun) * 1e3)
            else:
                failed.append(status)
        connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(concurrency)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Outcome([one for own in taken for one in own], failed, time.perf_counter() - start)


def _open_loop(port: int, path: str, bodies: Sequence[bytes], rate: float, seconds: float) -> Outcome:
    due: queue.SimpleQueue[tuple[float, bytes] | None] = queue.SimpleQueue()
    taken: list[float] = []
    failed: list[int] = []
    clients = 32

    def client() -> None:
        connection = Connection(port, path)
        while (one := due.get()) is not None:
            moment, body = one
            status = connection.ask(body)
            if _right(status):
                taken.append((time.perf_counter() - moment) * 1e3)
            else:
                failed.append(status)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    # arrivals of independent visitors: exponential gaps
    gaps = np.random.default_rng(4).exponential(1.0 / rate, int(rate * seconds))
    start = time.perf_counter() + 0.1
    moments = start + np.cumsum(gaps)
    for moment, body in zip(moments.tolist(), cycle(bodies), strict=False):
        pause = moment - time.perf_counter()
        if pause > 0:
            time.sleep(pause)
        due.put((moment, body))
    for _ in threads:
        due.put(None)
    for thread in threads:
        thread.join()
    return Outcome(taken, failed, time.perf_counter() - start)


def _apart(function: object, *arguments: object) -> Outcome:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        outcome: Outcome = pool.apply(function, arguments)  # type: ignore[arg-type]
    return outcome
