"""What an import or a drain of changes did, to the message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ChangeReport:
    """Counts; always ``messages == changes + known + ignored + sum(unknown) + quarantined``.

    Attributes
    ----------
    changes
        Messages that were appended to ``raw/changes``.
    known
        Messages of files that were there already.
    ignored
        Tombstones and control records, which say nothing.
    unknown
        Messages by table, of tables that are neither products nor users nor order lines.
    reasons
        Quarantined messages by reason; one with two reasons counts under both.
    purchases
        Purchase events that were appended to ``raw/events``.
    refused
        Order lines that can be no purchase event, by reason; they are in ``raw/changes`` all the same.
    skipped
        Files in which there are no changes.
    """

    files: int = 0
    messages: int = 0
    changes: int = 0
    known: int = 0
    ignored: int = 0
    quarantined: int = 0
    unknown: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)
    purchases: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()

    def __add__(self, other: ChangeReport) -> ChangeReport:
        return ChangeReport(
            self.files + other.files,
            self.messages + other.messages,
            self.changes + other.changes,
            self.known + other.known,
            self.ignored + other.ignored,
            self.quarantined + other.quarantined,
            _sum(self.unknown, other.unknown),
            _sum(self.reasons, other.reasons),
            self.purchases + other.purchases,
            _sum(self.refused, other.refused),
            self.skipped + other.skipped,
        )


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    total = dict(one)
    for name, count in other.items():
        total[name] = total.get(name, 0) + count
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))
