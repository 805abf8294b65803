"""A token bucket: so many a second, and so many at once after a rest."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """What is left to one caller; moments are seconds of any one clock.

    Attributes
    ----------
    per_second
        Tokens that come back each second.
    burst
        Tokens that it holds at the most.
    """

    per_second: float
    burst: float
    tokens: float
    at: float

    @classmethod
    def full(cls, per_second: float, burst: float, now: float) -> Bucket:
        """One that nobody has taken from yet."""
        return cls(per_second, burst, burst, now)

    def take(self, now: float) -> float:
        """Take a token; 0 where there was one, else the seconds until there is."""
        self.tokens = min(self.burst, self.tokens + self.per_second * (now - self.at))
        self.at = now
        if self.tokens >= 1.0:
            self.tokens -= 1.0
            return 0.0
        return (1.0 - self.tokens) / self.per_second
