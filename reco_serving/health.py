"""What is loaded, since when, and what is missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from reco_serving.current import Current
from reco_serving.replies import BundleHealth, Health

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def health(
    current: Current,
    redis_trouble: str | None,
    redis_breaker: str,
    stream_trouble: str | None,
    spool_bytes: int,
    started_at: int,
    experiments_trouble: str | None = None,
    keys_trouble: str | None = None,
) -> Health:
    """The state of one worker, in plain words; ``spool_bytes`` of events wait for the stream."""
    loaded = current.loaded
    missing = []
    if loaded is None and current.trouble is None:
        missing.append("bundle: none has been promoted yet; `reco materialize` trains and promotes one")
    if current.trouble is not None:
        missing.append(f"bundle: {current.trouble}")
    if redis_trouble is not None:
        missing.append(f"redis: {redis_trouble}; answers are made from what was last seen of users")
    if stream_trouble is not None or spool_bytes:
        why = stream_trouble or "it is back, and takes what was kept meanwhile"
        missing.append(f"stream: {why}; {spool_bytes:,} bytes of events wait on this machine's disk")
    if current.backlog.trouble is not None:
        missing.append(f"tables: {current.backlog.trouble}")
    if current.policy.trouble is not None:
        missing.append(f"policy: {current.policy.trouble}")
    if current.products_trouble is not None and loaded is not None:
        missing.append(f"product features: {current.products_trouble}; they stay as they were")
    if experiments_trouble is not None:
        missing.append(f"experiments: {experiments_trouble}")
    if keys_trouble is not None:
        missing.append(f"keys: {keys_trouble}")
    if current.disk_trouble is not None:
        missing.append(
            f"disk: what serves cannot be kept for a start without the registry: {current.disk_trouble}"
        )
    shown = BundleHealth()
    if loaded is not None:
        shown = BundleHealth(
            version=loaded.bundle.version,
            registry_version=loaded.champion.version,
            created_at=_moment(loaded.bundle.created_at),
            loaded_at=_moment(loaded.loaded_at),
            products=len(loaded.bundle.items),
            ranks_by="ranker" if loaded.bundle.ranker is not None else "blend of sources",
            product_epoch=loaded.feed.epoch,
        )
    return Health(
        status="waiting" if loaded is None else "degraded" if missing else "ok",
        since=_moment(started_at),
        bundle=shown,
        redis="ok" if redis_trouble is None else "unreachable",
        redis_breaker=redis_breaker,
        missing=missing,
        policy="" if loaded is None else loaded.rules.digest,
    )


def _moment(micros: int) -> str:
    return (_EPOCH + timedelta(microseconds=micros)).isoformat(timespec="milliseconds")
