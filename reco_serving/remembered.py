"""What was last seen in the online store, for when it cannot be read: a bounded cache of packed values."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclass
class Remembered(Generic[Value]):
    """The values of the last ``most`` names; some 300 bytes each. ``told`` hears whether a lookup found."""

    most: int
    told: Callable[[bool], None] = lambda found: None
    _values: OrderedDict[str, Value] = field(default_factory=OrderedDict, repr=False)

    def keep(self, name: str, value: Value) -> None:
        """Remember ``value``; whatever was not kept for longest gives way."""
        if not self.most:
            return
        self._values[name] = value
        self._values.move_to_end(name)
        if len(self._values) > self.most:
            self._values.popitem(last=False)

    def get(self, name: str) -> Value | None:
        """What was last kept under ``name``."""
        value = self._values.get(name)
        self.told(value is not None)
        return value
