"""What an import did, to the row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

#: Told after every batch: the file, the fraction of it that is done, and its rows so far.
Progress = Callable[[Path, float, int], None]


@dataclass(frozen=True)
class ImportReport:
    """Counts of rows; always ``rows == accepted + duplicates + quarantined``.

    Attributes
    ----------
    reasons
        Quarantined rows by reason; a row with two reasons counts under both.
    first_day, last_day
        Days of the accepted events, UTC; None where there are none.
    ignored
        Files that no format claims.
    """

    files: int = 0
    rows: int = 0
    accepted: int = 0
    duplicates: int = 0
    quarantined: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    first_day: date | None = None
    last_day: date | None = None
    seconds: float = 0.0
    ignored: tuple[str, ...] = ()

    def __add__(self, other: ImportReport) -> ImportReport:
        reasons = dict(self.reasons)
        for reason, count in other.reasons.items():
            reasons[reason] = reasons.get(reason, 0) + count
        firsts = [day for day in (self.first_day, other.first_day) if day]
        lasts = [day for day in (self.last_day, other.last_day) if day]
        return ImportReport(
            files=self.files + other.files,
            rows=self.rows + other.rows,
            accepted=self.accepted + other.accepted,
            duplicates=self.duplicates + other.duplicates,
            quarantined=self.quarantined + other.quarantined,
            reasons=dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
            first_day=min(firsts, default=None),
            last_day=max(lasts, default=None),
            seconds=self.seconds + other.seconds,
            ignored=self.ignored + other.ignored,
        )
