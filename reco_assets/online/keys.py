"""Names in Redis: one place, so that writers and readers cannot disagree."""

from __future__ import annotations

from typing import Final

#: The Delta version of ``gold/product_features`` that the product values were made from.
PRODUCT_EPOCH: Final = "products:epoch"
#: How far the user and product values follow the tables; see online/refresh.
ONLINE_MARK: Final = "online:mark"
#: How the last micro-batch went, as JSON; see online/stream_status.
STREAM_STATUS: Final = "stream:status"
#: Stream of product changes: fields ``epoch``, ``at``, the moment of the values, UTC microseconds, and
#: ``keys``, the packed 6-byte keys that changed.
PRODUCT_CHANGES: Final = "products:changes"
#: All experiments as JSON, and how often they were changed; see experiments/store.
EXPERIMENTS: Final = "experiments"
EXPERIMENTS_VERSION: Final = "experiments:version"
#: Hash of the newest findings of each experiment, by its name, msgpack: JSON has no infinity.
EXPERIMENT_FINDINGS: Final = "experiments:findings"


def user(user_id: str) -> str:
    """Key of a user's packed value."""
    return f"u:{user_id}"


def pending(user_id: str) -> str:
    """Key of a user's packed pending events: collected, and not yet in the user's value."""
    return f"n:{user_id}"


def habits(user_id: str) -> str:
    """Key of what a user with a long history keeps coming back to, packed."""
    return f"h:{user_id}"


def session(session_id: str) -> str:
    """Key of a session's packed recent events, and the channel that tells of each change of them."""
    return f"s:{session_id}"


def product(product_id: str) -> str:
    """Key of a product's packed value."""
    return f"p:{product_id}"
