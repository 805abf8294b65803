"""One keep-alive connection to the service, over which a person asks and clicks."""

from __future__ import annotations

import http.client
import json
from datetime import UTC, datetime
from typing import cast
from uuid import uuid4

from reco_assets.platform.settings import Settings


class Caller:
    """Posts JSON; every answer must be a success."""

    def __init__(self, settings: Settings) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", settings.service_port, timeout=30)

    def ask(self, path: str, body: dict[str, object]) -> dict[str, object]:
        """Post ``body``; the answer."""
        self._send(path, body)
        return self._answer()

    def click(self, user: str, product: str) -> None:
        """A click now, which is taken when this returns."""
        self.send_click(user, product)
        self.click_taken()

    def send_click(self, user: str, product: str, session: str | None = None) -> None:
        """Send a click; :meth:`click_taken` must follow."""
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        event = {"event_id": str(uuid4()), "user_id": user, "event_type": "click", "timestamp": now}
        named = {"session_id": session} if session is not None else {}
        self._send("/events", {**event, **named, "product_id": product})

    def click_taken(self) -> None:
        """Wait until the click that was sent is taken."""
        told = self._answer()
        assert told["accepted"] == 1, told

    def _send(self, path: str, body: dict[str, object]) -> None:
        self._connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})

    def _answer(self) -> dict[str, object]:
        response = self._connection.getresponse()
        content = response.read()
        assert response.status in (200, 202), content
        return cast("dict[str, object]", json.loads(content))
