"""Labels of metrics: never an id, whoever asks for whatever."""

from __future__ import annotations

import re
from urllib.parse import quote

from reco_serving.access import PATHS
from reco_serving.described import DESCRIBED
from tests.serving.conftest import Running
from tests.serving.test_events import event

ODD = ("zz-odd-id-1", 'zz"odd\\id\n2', "zz{odd}=id,3", "zz-ödd-4", "z" * 250)


def questions(odd: str) -> dict[str, dict[str, object]]:
    """One for each endpoint that answers with products, with ``odd`` wherever an id or a text may be."""
    somebody: dict[str, object] = {"user_id": odd, "session_id": odd}
    everywhere: dict[str, object] = {
        **somebody,
        "exclude": [odd],
        "context": {
            "page": odd,
            "device": odd[:64],
            "region": odd[:64],
            "product_id": odd,
            "products": [odd],
            "cart": [odd],
        },
    }
    return {
        "recommend": everywhere,
        "recommend/batch": {"requests": [everywhere, everywhere]},
        "similar": {**everywhere, "product_id": odd},
        "bought-together": {**everywhere, "products": [odd], "cart": [odd]},
        "trending": everywhere,
        "buy-again": everywhere,
        "recently-viewed": everywhere,
        "rank": {**somebody, "products": [odd, "p1"]},
    }


def test_ids_and_unknown_paths_are_in_no_label(service: Running) -> None:
    for odd in ODD:
        asked = questions(odd)
        assert {f"/{name}" for name in asked} == {one.path for one in DESCRIBED}
        for name, body in asked.items():
            assert service.ask(name, body).status_code == (404 if name == "similar" else 200)
            assert service.ask(name, {**body, "category": odd, "filters": odd}).status_code in (200, 400, 404)
        with service.client.stream("GET", f"/stream/{quote(odd)}", params={"user_id": odd}) as lists:
            assert next(lists.iter_lines()).startswith("id: ")
        assert service.client.get(f"/explain/{quote(odd, safe='')}").status_code == 404
        service.ask("events", event(odd, user=odd, session_id=odd, event_id=odd))
        service.client.get("/" + odd.replace("\n", ""))
        service.client.get("/static_content/" + odd.replace("\n", ""))
        service.client.get("/health", headers={"traceparent": odd.encode("latin-1").hex()})
    text = service.client.get("/metrics").text
    assert "zz" not in text
    endpoints = set(re.findall(r'endpoint="([^"]*)"', text))
    named = {"/other", "/static_content/{file}", "/stream/{session_id}", "/explain/{recommendation_id}"}
    assert named | {one.path for one in DESCRIBED} <= endpoints
    assert len(endpoints) <= 2 * len(PATHS)  # the names of BentoML and our own
