"""Questions and answers as they go over the wire: HTTP/1.1 with keep-alive, and nothing between."""

from __future__ import annotations

import socket
from typing import Final

_TIMEOUT_SECONDS: Final = 30.0


def posted(path: str, body: bytes, headers: bytes = b"") -> bytes:
    """A POST as it goes over the wire; each of ``headers`` with its line end."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n".encode()
    return b"%b%bContent-Length: %d\r\n\r\n%b" % (head, headers, len(body), body)


def whole(received: bytes) -> tuple[int, bytes] | None:
    """Status and body of an answer; None where more of it is to come."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    length = received[:end].lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]
    return (int(received[9:12]), received[end + 4 :]) if len(received) >= end + 4 + int(length) else None


class Connection:
    """One keep-alive connection."""

    def __init__(self, port: int, path: str) -> None:
        self._path = path
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
            self._socket.sendall(posted(self._path, body, headers))
            received = b""
            while True:
                more = self._socket.recv(65_536)
                if not more:
                    raise ConnectionError("closed by the server")
                received += more
                found = whole(received)
                if found is not None:
                    return found
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
