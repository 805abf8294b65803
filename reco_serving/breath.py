"""What a worker does beside its visitors is done in small parts, with a rest after each of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

#: Bounds of a rest, seconds.
_REST: Final = (0.001, 0.01)


@contextmanager
def breath() -> Iterator[None]:
    """Rest for as long as the block has taken, within bounds: visitors wait for the same interpreter."""
    begun = time.perf_counter()
    yield
    least, most = _REST
    time.sleep(min(max(least, time.perf_counter() - begun), most))
