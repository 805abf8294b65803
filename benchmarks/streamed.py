"""How soon an open stream has a new list after something has happened in its session."""

from __future__ import annotations

import http.client
import random
import time
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

from benchmarks.caller import Caller
from benchmarks.report import Value, percentile
from benchmarks.serving_shop import Shop
from reco_assets.platform.settings import Settings

#: A list that has not come after so long is counted as missing.
PATIENCE_SECONDS: Final = 2.0
#: What is promised, from an event to the list.
PROMISED_MS: Final = 100.0


@dataclass
class Lists:
    """People with an open stream, in whose session something happens once."""

    settings: Settings
    shop: Shop
    milliseconds: list[float] = field(default_factory=list)
    missing: int = 0

    def __post_init__(self) -> None:
        self._caller = Caller(self.settings)
        self._dice = random.Random(11)

    def probe(self) -> None:
        """One person: a stream, a click, and the time until the next list has come whole."""
        user, session = str(self._dice.choice(self.shop.log.user_ids)), f"live-{uuid4()}"
        product = self._dice.choice(self.shop.items.ids)
        port = self.settings.service_port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
        try:
            connection.request("GET", f"/stream/{session}?user_id={user}&num_recommendations=20")
            stream = connection.getresponse()
            assert stream.status == 200, stream.read()
            _list(stream)
            started = time.perf_counter()
            self._caller.send_click(user, product, session)
            try:
                _list(stream)
                self.milliseconds.append((time.perf_counter() - started) * 1e3)
            except TimeoutError:
                self.missing += 1
            self._caller.click_taken()
        finally:
            connection.close()

    def results(self) -> dict[str, Value]:
        """Times from the click's sending to the list's arrival."""
        return {
            "list_p50_ms": percentile(self.milliseconds, 50, 2),
            "list_p99_ms": percentile(self.milliseconds, 99, 2),
            "lists": len(self.milliseconds),
            "lists_within_100_ms": sum(one <= PROMISED_MS for one in self.milliseconds),
            "lists_missing": self.missing,
        }


def _list(stream: http.client.HTTPResponse) -> None:
    """Read until a list has come; what a silent stream says meanwhile is none."""
    seen = False
    while True:
        line = stream.readline()
        assert line, "the service has ended the stream"
        seen = seen or line.startswith(b"data: ")
        if seen and not line.strip():
            return
