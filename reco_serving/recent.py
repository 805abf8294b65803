"""Decisions of a short while ago, to be explained: those of this worker, else those in the stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from reco_assets.events.decided import Decided, decode
from reco_assets.platform.streams.redis_stream import RedisStream

#: Decisions that a worker remembers; some 2 kB each.
REMEMBERED: Final = 2_000
#: A decision is in the stream after it was made, as far as two machines' clocks agree.
_CLOCKS_MS: Final = 5_000
#: Records of the stream that are looked through for one, a page at a time.
_LOOKED_THROUGH: Final = 20_000
_PAGE: Final = 1_000
#: Hexadecimal digits of the moment in a recommendation's id, UTC microseconds.
MOMENT: Final = 14


@dataclass
class Recent:
    """The last decisions of this worker, by recommendation."""

    most: int = REMEMBERED
    _made: dict[str, Decided] = field(default_factory=dict, repr=False)

    def keep(self, decided: Decided) -> None:
        """Remember ``decided``; the oldest gives way."""
        self._made[decided.recommendation_id] = decided
        if len(self._made) > self.most:
            del self._made[next(iter(self._made))]

    def get(self, recommendation_id: str) -> Decided | None:
        """The decision with that id, where this worker has made it lately."""
        return self._made.get(recommendation_id)


def moment_of(recommendation_id: str) -> int | None:
    """When a decision was made by its id, UTC microseconds; None where it is no such id."""
    try:
        return int(recommendation_id[:MOMENT], 16) if len(recommendation_id) > MOMENT else None
    except ValueError:
        return None


def in_stream(stream: RedisStream, recommendation_id: str) -> Decided | None:
    """The decision in the stream of any worker that nobody has brought into the lake yet.

    Raises StreamUnavailable.
    """
    moment = moment_of(recommendation_id)
    if moment is None:
        return None
    after = max(0, moment // 1000 - _CLOCKS_MS) << 20
    wanted = recommendation_id.encode()
    for _ in range(_LOOKED_THROUGH // _PAGE):
        records = stream.read("0", after, _PAGE)
        for record in records:
            if wanted in record.value:
                decided, _asker = decode(record.value)
                if decided.recommendation_id == recommendation_id:
                    return decided
        if len(records) < _PAGE:
            break
        after = records[-1].position
    return None
