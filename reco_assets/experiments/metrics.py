"""What experiments are judged by, and what must not get worse."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from reco_assets.errors import BadInput


@dataclass(frozen=True)
class Metric:
    """A ratio of two sums over users.

    Attributes
    ----------
    over, by
        Columns of a user's outcomes: what is summed, and what the sum is divided by. Where ``by`` is
        ``users`` it is a mean over users.
    before
        The same user's column from before the experiment, which explains some of the variance.
    better
        1 where more is better, -1 where less is.
    """

    over: str
    by: str
    before: str | None
    better: int
    unit: str
    description: str


#: Every metric by its name.
METRICS: Final[dict[str, Metric]] = {
    "ctr": Metric(
        "clicks", "impressions", "clicks_before", 1, "share", "Clicks within a day per product shown."
    ),
    "conversion": Metric(
        "converted", "users", "purchases_before", 1, "share", "Users who bought after they were shown it."
    ),
    "revenue_per_user": Metric(
        "revenue", "users", "revenue_before", 1, "money", "What a user spent after they were shown it."
    ),
    "latency_ms": Metric("latency_ms", "answers", None, -1, "ms", "Time of an answer inside the service."),
    "fallback_share": Metric(
        "fallbacks", "answers", None, -1, "share", "Answers that were degraded: something was missing."
    ),
}


class Guardrail(Struct, frozen=True):
    """How much worse a metric may be than the control's, at the most.

    Attributes
    ----------
    worst
        A difference that is still accepted, towards the worse, at least 0.
    relative
        Whether ``worst`` is a share of the control's value.
    """

    metric: str
    worst: float
    relative: bool

    def __str__(self) -> str:
        worst = f"{self.worst:.4g}" if not self.relative else f"{100 * self.worst:.4g}%"
        return f"{self.metric}:{worst}"


#: The guardrails of an experiment that names none.
GUARDRAILS: Final = (
    Guardrail("latency_ms", 0.25, True),
    Guardrail("fallback_share", 0.02, False),
    Guardrail("revenue_per_user", 0.05, True),
)
_GUARDRAIL: Final = re.compile(r"(?P<metric>[a-z_]+):(?P<worst>\d+(?:\.\d+)?)(?P<percent>%?)")


def guardrail(text: str) -> Guardrail:
    """The guardrail that ``metric:worst`` says, e.g. ``latency_ms:25%`` or ``fallback_share:0.02``.

    Raises BadInput.
    """
    said = _GUARDRAIL.fullmatch(text)
    if said is None or said["metric"] not in METRICS:
        raise BadInput(
            f"{text!r} is no guardrail",
            hint=f"write e.g. latency_ms:25% or fallback_share:0.02; there are {', '.join(METRICS)}",
        )
    worst = float(said["worst"])
    return Guardrail(said["metric"], worst / 100 if said["percent"] else worst, bool(said["percent"]))
