"""Logs as JSON, one object a line, each with the recommendation that it is about."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final

import msgspec

#: The recommendation that is being made; empty where none is.
RECOMMENDATION: Final[ContextVar[str]] = ContextVar("recommendation_id", default="")
#: Loggers that BentoML gives handlers of their own.
_WITH_HANDLERS: Final = ("", "bentoml", "uvicorn.error", "circus")

_encode: Final = msgspec.json.Encoder().encode


class JsonFormatter(logging.Formatter):
    """Time, level, logger and message; recommendation_id, an exception, and ``fields`` where there are."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        told: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        recommendation = RECOMMENDATION.get()
        if recommendation:
            told["recommendation_id"] = recommendation
        told.update(getattr(record, "fields", {}))
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return _encode(told).decode()


def log_as_json() -> None:
    """Let every handler write JSON, and the engine's own loggers also what is only worth knowing."""
    formatter = JsonFormatter()
    for name in _WITH_HANDLERS:
        for handler in logging.getLogger(name).handlers:
            handler.setFormatter(formatter)
    logging.getLogger("reco").setLevel(logging.INFO)
