"""Asking at given moments whether or not the earlier questions are answered: one thread, many connections.

A generator that waits for its own threads measures itself. Here one thread holds all connections and
sleeps until a question is due or an answer has come, and what it has imported is not searched for garbage
meanwhile, which takes a tenth of a second.
"""

from __future__ import annotations

import gc
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from benchmarks.wire import whole

#: An answer that has not come after so long has failed.
TIMEOUT_SECONDS: Final = 30.0
#: Pause between two looks at who has waited for that long.
_LOOK_SECONDS: Final = 1.0


@dataclass(slots=True)
class Question:
    """A request as it goes over the wire, and when it is due (``time.time``)."""

    due: float
    request: bytes
    note: str = ""


#: Told of each question: status (0 where there was no whole answer) and body of the answer.
Told = Callable[[Question, int, bytes], None]


class _Line:
    """A connection that is kept; it makes itself anew where the server has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.socket: socket.socket | None = None
        self.question = Question(0.0, b"")
        self.begun = 0.0
        self.received = b""
        self._sent = self._kept = False

    def begin(self, question: Question) -> None:
        """Ask ``question``, at once where there is a connection, else when there is one."""
        self.question, self.begun, self.received = question, time.time(), b""
        self._kept = self.socket is not None
        self._open()

    def _open(self) -> None:
        self._sent = False
        if self.socket is None:
            self.socket = socket.socket()
            self.socket.setblocking(False)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.connect_ex(("127.0.0.1", self._port))
        else:
            self._send()

    @property
    def open_socket(self) -> socket.socket:
        """What its answer comes by, once it has begun."""
        assert self.socket is not None
        return self.socket

    @property
    def awaits(self) -> int:
        """What its socket has to be ready for."""
        return selectors.EVENT_READ if self._sent else selectors.EVENT_WRITE

    def go_on(self) -> tuple[int, bytes] | None:
        """Its socket is ready: the answer where it is whole, None where more is to come."""
        try:
            if not self._sent:
                self._send()
                return None
            more = self.open_socket.recv(65_536)
            if not more:
                raise ConnectionError("closed by the server")
            self.received += more
            return whole(self.received)
        except BlockingIOError:
            return None
        except OSError:
            return self._broken()

    def _send(self) -> None:
        try:
            # a request is smaller than the buffer of an empty connection
            self._sent = self.open_socket.send(self.question.request) == len(self.question.request)
        except BlockingIOError:
            self._sent = False
        except OSError:
            self._sent = True  # reading says that it is broken

    def _broken(self) -> tuple[int, bytes] | None:
        """Closed: one that was kept is made anew, once, as every client does."""
        self.close()
        if not self._kept:
            return 0, b""
        self._kept, self.received = False, b""
        self._open()
        return None

    def close(self) -> None:
        """Close the connection; the next question makes a new one."""
        if self.socket is not None:
            self.socket.close()
            self.socket = None


def ask_when_due(port: int, questions: Iterable[Question], connections: int, told: Told) -> None:
    """Ask all ``questions``, which rise by their moments, over at most so many ``connections``.

    Whoever finds none free waits for one; their latency counts from the moment at which they were due.
    """
    free = deque(_Line(port) for _ in range(connections))
    waiting, coming = deque[Question](), iter(questions)
    following = next(coming, None)
    looked = time.time()
    gc.freeze()
    # of all selectors this one alone sleeps to the microsecond
    with selectors.SelectSelector() as busy:
        while following is not None or waiting or busy.get_map():
            now = time.time()
            while following is not None and following.due <= now:
                waiting.append(following)
                following = next(coming, None)
            while waiting and free:
                line = free.popleft()
                line.begin(waiting.popleft())
                busy.register(line.open_socket, line.awaits, line)
            if now - looked > _LOOK_SECONDS:
                looked = now
                for key in list(busy.get_map().values()):
                    if now - key.data.begun > TIMEOUT_SECONDS:
                        busy.unregister(key.fileobj)
                        key.data.close()
                        _end(key.data, (0, b""), free, told)
            pause = _LOOK_SECONDS if following is None else following.due - time.time()
            for key, _ in busy.select(min(max(pause, 0.0), _LOOK_SECONDS)):
                found = key.data.go_on()
                if found is None and key.data.socket is key.fileobj and key.data.awaits == key.events:
                    continue
                busy.unregister(key.fileobj)
                if found is None:
                    busy.register(key.data.open_socket, key.data.awaits, key.data)
                else:
                    _end(key.data, found, free, told)
    for line in free:
        line.close()


def _end(line: _Line, found: tuple[int, bytes], free: deque[_Line], told: Told) -> None:
    told(line.question, *found)
    free.append(line)
