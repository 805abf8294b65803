"""The one tree of errors. Each names what was being done, on what, and what to do next."""

from __future__ import annotations


class RecoError(Exception):
    """Base of every error this project raises on purpose.

    Parameters
    ----------
    message
        What failed, and on which object.
    hint
        What the reader can do about it; printed on a line of its own by the command line.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class BadInput(RecoError):
    """A file, a mapping or an argument that a person gave cannot be used."""


class BadExpression(BadInput):
    """An expression over product columns cannot be used; ``at`` is the place in it, from 1."""

    def __init__(self, text: str, at: int, reason: str, *, hint: str = "") -> None:
        super().__init__(f"column {at} of {text!r}: {reason}", hint=hint)
        self.at = at
        self.reason = reason


class BadEvent(RecoError):
    """An event breaks the contract; it belongs in quarantine."""


class BadRequest(RecoError):
    """A request to the service breaks its contract; answered with 400."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class MissingDependency(RecoError):
    """Something outside the process is not there: Java, a free port, disk space, a server."""


class Busy(RecoError):
    """More is asked of a service than it can answer; ask again after ``seconds``."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message, hint=f"ask again after {seconds:g} seconds")
        self.seconds = seconds


class MissingTable(RecoError):
    """A lake table that this step reads has never been written."""


class ConcurrentWrite(RecoError):
    """Somebody else wrote to the same part of a table meanwhile; nothing was written, try it again."""


class MissingBundle(RecoError):
    """No recommender bundle has been promoted yet, or the promoted one cannot be read."""


class IncompatibleBundle(RecoError):
    """A bundle was built for another feature catalogue or codec than the running code has."""


class BadBundle(RecoError):
    """A bundle that must not serve: it is damaged, fails, is too slow or answers something else entirely."""


class GateFailed(RecoError):
    """A candidate ranker is not good enough to become champion; nothing was changed."""
