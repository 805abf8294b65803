"""The generator asks when a question is due, tells of each, and charges a stall to all who come meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from benchmarks.open_loop import Question, ask_when_due
from benchmarks.wire import posted
from tests.online.conftest import free_port


@contextmanager
def server(behaviour: str = "") -> Iterator[tuple[int, list[bytes]]]:
    """Its port, and the bodies that it was asked."""
    asked: list[bytes] = []
    open_now = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(body)
            if behaviour == "stalls" and len(asked) == 1:
                open_now.wait(0.3)
            answer = body * 40_000 if behaviour == "talks" else body
            self.send_response(429 if body == b"too much" else 200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
            # without a word in the answer: the client finds out when it asks again
            self.close_connection = behaviour == "closes"

        def log_message(self, *told: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        served.daemon_threads = True
        thread = threading.Thread(target=served.serve_forever, args=(0.05,))
        thread.start()
        yield served.server_address[1], asked
        served.shutdown()
        thread.join()


def asking(
    port: int, bodies: list[bytes], gap: float, connections: int
) -> list[tuple[str, int, bytes, float]]:
    """Note, status and body of each answer, and its seconds, in the order of the answers."""
    found: list[tuple[str, int, bytes, float]] = []

    def told(question: Question, status: int, content: bytes) -> None:
        found.append((question.note, status, content, time.time() - question.due))

    start = time.time() + 0.02
    questions = [
        Question(start + number * gap, posted("/x", body), str(number)) for number, body in enumerate(bodies)
    ]
    ask_when_due(port, questions, connections, told)
    return found


def test_every_question_is_asked_once_and_told_with_its_own_answer() -> None:
    bodies = [b"%d" % number for number in range(200)]
    with server() as (port, asked):
        found = asking(port, bodies, 0.0005, 8)
    assert sorted(asked) == sorted(bodies)
    assert {note: (status, content) for note, status, content, _ in found} == {
        str(number): (200, body) for number, body in enumerate(bodies)
    }


def test_an_answer_in_many_parts_is_read_to_its_end() -> None:
    with server("talks") as (port, _):
        found = asking(port, [b"0123456789"] * 3, 0.01, 2)
    assert [(status, len(content)) for _, status, content, _ in found] == [(200, 400_000)] * 3


def test_a_stall_is_charged_to_all_who_were_due_meanwhile() -> None:
    with server("stalls") as (port, _):
        found = asking(port, [b"a"] * 4, 0.01, 1)
    assert [note for note, *_ in found] == ["0", "1", "2", "3"]
    assert all(seconds > 0.2 for *_, seconds in found)


def test_a_connection_that_the_server_closed_is_made_anew() -> None:
    with server("closes") as (port, asked):
        found = asking(port, [b"a", b"too much", b"b"], 0.05, 1)
    assert [status for _, status, _, _ in found] == [200, 429, 200]
    assert asked == [b"a", b"too much", b"b"]


def test_where_nobody_answers_every_question_has_failed() -> None:
    found = asking(free_port(), [b"a"] * 5, 0.001, 2)
    assert [(status, content) for _, status, content, _ in found] == [(0, b"")] * 5
