"""A BentoML service that does nothing: what the framework alone costs."""

from __future__ import annotations

import bentoml


@bentoml.service(name="empty", workers=1, logging={"access": {"enabled": False}})
class Empty:
    """One endpoint without a body of its own."""

    @bentoml.api  # type: ignore[untyped-decorator]
    async def empty(self, user_id: str = "") -> dict[str, int]:
        """Answer at once."""
        return {"ok": 1}
