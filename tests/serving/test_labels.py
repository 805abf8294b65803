"""Labels of metrics: never an id, whoever asks for whatever."""

from __future__ import annotations

import re

from reco_serving.access import PATHS
from tests.serving.conftest import Running
from tests.serving.test_events import event

ODD = ("zz-odd-id-1", 'zz"odd\\id\n2', "zz{odd}=id,3", "zz-ödd-4", "z" * 250)


def test_ids_and_unknown_paths_are_in_no_label(service: Running) -> None:
    for odd in ODD:
        service.recommend(
            user_id=odd, session_id=odd, exclude=[odd], context={"page": odd, "device": odd[:64]}
        )
        service.ask("recommend", {"user_id": odd, "category": odd})
        service.ask("similar", {"product_id": odd})
        service.ask("events", event(odd, user=odd, session_id=odd, event_id=odd))
        service.client.get("/" + odd.replace("\n", ""))
        service.client.get("/static_content/" + odd.replace("\n", ""))
        service.client.get("/health", headers={"traceparent": odd.encode("latin-1").hex()})
    text = service.client.get("/metrics").text
    assert "zz" not in text
    endpoints = set(re.findall(r'endpoint="([^"]*)"', text))
    assert {"/other", "/static_content/{file}", "/recommend"} <= endpoints
    assert len(endpoints) <= 2 * len(PATHS)  # the names of BentoML and our own
