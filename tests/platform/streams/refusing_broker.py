"""A Kafka broker that does not lead a topic just made yet, when the first records come: it refuses them."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_PRODUCE, _METADATA = 0, 3  # as the protocol numbers its requests
_NOT_LEADER = 6


@dataclass
class Refusing:
    """Stands before a broker on this machine and lets all through but the first request with records.

    Parameters
    ----------
    port
        The broker's.
    topic
        The one the records go to; its partition 0.
    """

    port: int
    topic: str
    refused: int = 0
    _open: list[socket.socket] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open.append(self._listener)
        self._own: int = self._listener.getsockname()[1]
        self.address = f"127.0.0.1:{self._own}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """End all connections."""
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            broker = socket.create_connection(("127.0.0.1", self.port))
            self._open += [client, broker]
            asked: dict[int, int] = {}  # what a request of this connection was, by its number
            for run in (self._requests, self._answers):
                threading.Thread(target=run, args=(client, broker, asked), daemon=True).start()

    def _requests(self, client: socket.socket, broker: socket.socket, asked: dict[int, int]) -> None:
        for request in _frames(client):
            kind, version, number = struct.unpack_from(">hhi", request)
            asked[number] = kind
            if kind == _PRODUCE and not self.refused:
                assert 9 <= version <= 12, "the answer below is of these versions"
                self.refused += 1
                _send(client, self._refusal(number))
            else:
                _send(broker, request)

    def _answers(self, client: socket.socket, broker: socket.socket, asked: dict[int, int]) -> None:
        for answer in _frames(broker):
            if asked.get(struct.unpack_from(">i", answer)[0]) == _METADATA:
                # the client must not go past us to the broker
                answer = answer.replace(struct.pack(">i", self.port), struct.pack(">i", self._own))
            _send(client, answer)

    def _refusal(self, number: int) -> bytes:
        name = self.topic.encode()
        nothing = b"\0"  # as the protocol writes: no more fields
        partition = struct.pack(">ihqqq", 0, _NOT_LEADER, -1, -1, -1) + b"\1" + b"\0" + nothing
        topic = bytes([len(name) + 1]) + name + b"\2" + partition + nothing
        return struct.pack(">i", number) + nothing + b"\2" + topic + struct.pack(">i", 0) + nothing


@contextmanager
def refusing(address: str, topic: str) -> Iterator[Refusing]:
    """One before the broker at ``address``."""
    found = Refusing(int(address.rpartition(":")[2]), topic)
    try:
        yield found
    finally:
        found.close()


def _frames(connection: socket.socket) -> Iterator[bytes]:
    """Requests or answers, each without its length, until the connection ends."""
    with connection:
        while True:
            try:
                length = _exactly(connection, 4)
                yield _exactly(connection, int.from_bytes(length, "big"))
            except OSError:
                return


def _exactly(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = connection.recv(size - len(found))
        if not part:
            raise ConnectionError
        found += part
    return found


def _send(connection: socket.socket, frame: bytes) -> None:
    with suppress(OSError):  # the other side has ended; so will the reading one
        connection.sendall(len(frame).to_bytes(4, "big") + frame)
