"""A Kinesis that is too busy at first: a server in front of moto's which refuses as AWS' would."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_BUSY = "ProvisionedThroughputExceededException"


class _Front(BaseHTTPRequestHandler):
    """Refuses the first request of each kind, and every third record that it sees for the first time."""

    behind: str
    asked: Counter[str]
    seen: set[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].split(".")[1]
        self.asked[operation] += 1
        if self.asked[operation] == 1 and operation in ("PutRecords", "GetRecords", "ListShards"):
            self._answer(400, {"__type": _BUSY, "message": "too much at once"})
        elif operation == "PutRecords":
            self._answer(200, self._put(json.loads(body)))
        else:
            try:
                self._answer(200, self._ask(body))
            except urllib.error.HTTPError as error:  # a stream that is not there yet
                self._answer(error.code, json.loads(error.read()))

    def _put(self, wanted: dict[str, Any]) -> dict[str, Any]:
        refused = []
        for place, entry in enumerate(wanted["Records"]):
            refused.append(entry["Data"] not in self.seen and place % 3 == 2)
            self.seen.add(entry["Data"])
        taken = [entry for entry, no in zip(wanted["Records"], refused, strict=True) if not no]
        told = (
            iter(self._ask(json.dumps(wanted | {"Records": taken}).encode())["Records"])
            if taken
            else iter(())
        )
        busy = {"ErrorCode": _BUSY, "ErrorMessage": "too much for this shard"}
        return {
            "FailedRecordCount": sum(refused),
            "Records": [busy if no else next(told) for no in refused],
        }

    def _ask(self, body: bytes) -> dict[str, Any]:
        kept = {name: value for name, value in self.headers.items() if name != "Content-Length"}
        with urllib.request.urlopen(urllib.request.Request(self.behind, body, kept)) as reply:
            found: dict[str, Any] = json.loads(reply.read() or b"{}")
        return found

    def _answer(self, status: int, said: dict[str, Any]) -> None:
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test says what went wrong."""


@contextmanager
def busy(behind: str) -> Iterator[str]:
    """Address of a server in front of the one at ``behind``."""
    front = type("Front", (_Front,), {"behind": f"http://{behind}/", "asked": Counter(), "seen": set()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), front)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
