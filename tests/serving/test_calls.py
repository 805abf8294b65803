"""What the headers of a request say of its deadline and its priority."""

from __future__ import annotations

import pytest

from reco_assets.errors import BadRequest
from reco_serving.calls import Call, Priority, call_of


def test_headers_say_how_long_and_how_important() -> None:
    told = call_of([(b"host", b"x"), (b"x-deadline-ms", b"20"), (b"x-priority", b"High")], 1.0, 0.1, "rank")
    assert told == Call(1.0, 1.02, Priority.high, "rank")
    assert call_of([], 1.0, 0.1, "rank") == Call(1.0, 1.1, Priority.normal, "rank")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"x-deadline-ms", b"soon"),
        (b"x-deadline-ms", b"0"),
        (b"x-deadline-ms", b"nan"),
        (b"x-priority", b"vip"),
    ],
)
def test_headers_that_cannot_be_read_are_400(name: bytes, value: bytes) -> None:
    with pytest.raises(BadRequest):
        call_of([(name, value)], 0.0, 0.1, "rank")
