"""The stages of one answer, the same for every list: when each ended, told to Prometheus and to the trace."""

from __future__ import annotations

from dataclasses import dataclass

from reco_serving.answered import Answered
from reco_serving.calls import Call
from reco_serving.tracing import DATABASE, Part


@dataclass(frozen=True, slots=True)
class Stages:
    """The moments of an answer, seconds of ``time.perf_counter``.

    Attributes
    ----------
    begun
        When its request had come.
    turn_at, decided_at, ended
        When its turn began, its products were known, and its bytes.
    read_at
        When what is known of the user had been read; None where nobody was asked about.
    from_redis
        Whether Redis gave it.
    """

    begun: float
    turn_at: float
    decided_at: float
    ended: float
    read_at: float | None = None
    from_redis: bool = False

    @property
    def seconds(self) -> dict[str, float]:
        """What each stage took, in their order."""
        queued_at = self.begun if self.read_at is None else self.read_at
        taken = {} if self.read_at is None else {"state": self.read_at - self.begun}
        taken["queue"] = self.turn_at - queued_at
        taken["decide"] = self.decided_at - self.turn_at
        taken["encode"] = self.ended - self.decided_at
        return taken

    def tell(self, answered: Answered, call: Call, rung: str) -> None:
        """Count the answer that ``rung`` gave to ``call``, and write its parts down where it is traced."""
        taken = self.seconds
        answered.observe(call.endpoint, rung, taken)
        if call.trace is None:
            return
        call.trace.span.set_attribute("reco.rung", rung)
        begun = self.begun
        for name, seconds in taken.items():
            asked = {DATABASE: "redis"} if name == "state" and self.from_redis else {}
            call.trace.parts.append(Part(name, begun, begun + seconds, asked))
            begun += seconds
