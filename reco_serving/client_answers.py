"""What came back, for a client: an error that says what to do, or one list of a stream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx
import msgspec

from reco_assets.errors import BadInput, Busy, MissingBundle, MissingDependency, RecoError
from reco_serving.replies import Recommended, Refused

_DATA: Final = "data: "
_HINTS: Final = {
    "product_id": "ids are those of the imported events",
    "category": "categories are those of the imported products",
}


@contextmanager
def reaching(url: str) -> Iterator[None]:
    """Whatever is asked of ``url`` in the block; raises MissingDependency where no service answers."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, msgspec.DecodeError) as error:
        raise MissingDependency(
            f"asking {url}: {error}", hint="start the service with `reco up` or `reco serve`"
        ) from error


def refusal(url: str, response: httpx.Response) -> RecoError:
    """What is to be raised for an answer that is not the one that was asked for.

    Raises ``msgspec.DecodeError`` where it is none of the service's.
    """
    fault = msgspec.json.decode(response.content, type=Refused).error
    told = f"asking {url}: {fault.reason}"
    after = float(response.headers.get("retry-after", 1.0))
    match response.status_code:
        case httpx.codes.SERVICE_UNAVAILABLE if fault.field == "bundle":
            return MissingBundle(told, hint="run `reco materialize`")
        case httpx.codes.SERVICE_UNAVAILABLE:
            return MissingDependency(told, hint=f"send it again after {after:g} seconds")
        case httpx.codes.TOO_MANY_REQUESTS:
            return Busy(told, after)
        case httpx.codes.NOT_FOUND:
            return BadInput(told, hint=_HINTS.get(fault.field, ""))
        case httpx.codes.UNAUTHORIZED | httpx.codes.FORBIDDEN:
            reason = f"asking {url}: the key {fault.reason}"
            return BadInput(reason, hint="set RECO_KEY, or the client's key, to one that may ask")
    return BadInput(f"asking {url}: {fault.field}: {fault.reason}", hint=_HINTS.get(fault.field, ""))


def listed(line: str) -> Recommended | None:
    """The list that a line of a stream holds; None where it holds none."""
    if not line.startswith(_DATA):
        return None
    return msgspec.json.decode(line.removeprefix(_DATA), type=Recommended)
