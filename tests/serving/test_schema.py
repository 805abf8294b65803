"""The service keeps to its own OpenAPI document, whatever it is asked."""

from __future__ import annotations

from benchmarks.schema import examined
from tests.serving.conftest import Running


def test_no_request_breaks_the_document_or_the_service(fresh: Running) -> None:
    found = examined(str(fresh.client.base_url).rstrip("/"), 400)
    assert found.troubles == []
    assert (found.errors_5xx, found.violations) == (0, 0)
    assert found.asked >= 300
    assert found.statuses["200"] > 0
    assert found.statuses["400"] > 0
