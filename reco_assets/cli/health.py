"""Asking the running service how it is, with nothing loaded that only its answers need."""

from __future__ import annotations

from typing import Any

import httpx

from reco_assets.errors import BadInput
from reco_assets.platform.settings import Settings


def key_headers(settings: Settings) -> dict[str, str]:
    """What a request says of the key that ``settings`` hold; nothing where there is none."""
    return {} if settings.key is None else {"X-Api-Key": settings.key.get_secret_value()}


def health(settings: Settings, client: httpx.Client) -> dict[str, Any]:
    """What the service says of itself; raises BadInput where it wants a key, and what httpx raises."""
    url = f"http://{settings.service_host}:{settings.service_port}/health"
    response = client.get(url, headers=key_headers(settings))
    told = response.json()
    if response.status_code != httpx.codes.OK:
        reason = told["error"]["reason"]
        raise BadInput(f"asking {url}: the key {reason}", hint="set RECO_KEY to a key with the scope operate")
    return dict(told)
