"""The keys that a worker knows, as fresh as their file, and what each of them may still do."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from ipaddress import ip_address
from typing import Final

from reco_assets.errors import BadInput
from reco_assets.platform.settings import Settings
from reco_serving.access import Scope
from reco_serving.bucket import Bucket
from reco_serving.keys import ID, Key, read_keys

PAUSE_SECONDS: Final = 1.0
#: Compared with where no key has the id, so that an unknown id takes as long as a known one.
_NO_DIGEST: Final = bytes(32)

log = logging.getLogger("reco.keys")


@dataclass(frozen=True, slots=True)
class Grant:
    """A key as it is checked."""

    key: Key
    digest: bytes
    scopes: frozenset[Scope]
    bucket: Bucket


@dataclass
class Keyring:
    """The keys of one worker; each worker grants its share of a key's rate.

    Attributes
    ----------
    asked
        Whether requests need a key: where there is a keys file, and wherever others can reach the service.
    trouble
        Why the file cannot be read; what was known last holds on. None where all is well.
    """

    settings: Settings
    asked: bool = False
    trouble: str | None = None
    _grants: dict[bytes, Grant] = field(default_factory=dict, repr=False)
    _seen: tuple[int, int, int] | None = field(default=None, repr=False)

    def look(self, now: float) -> None:
        """Read the file where it has changed; ``now`` is of the clock that :meth:`find`'s buckets know."""
        if self.settings.open:
            return
        self.asked = self.asked or not on_loopback(self.settings.service_host)
        try:
            told = self.settings.keys_file.stat()
        except FileNotFoundError:
            gone = f"{self.settings.keys_file} is gone; the keys that it held go on"
            self.trouble = gone if self._seen is not None else None
            return
        seen = (told.st_mtime_ns, told.st_size, told.st_ino)
        if seen == self._seen:
            self.trouble = None
            return
        self.asked = True
        try:
            keys = read_keys(self.settings.keys_file)
        except BadInput as error:
            if self.trouble is None:
                log.error("the keys stay as they were: %s", error)
            self.trouble = str(error)
            return
        self._take(keys, now)
        self._seen, self.trouble = seen, None
        log.info("%d API keys hold", len(keys))

    async def watch(self) -> None:
        """Look once a second, for ever."""
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            try:
                self.look(time.monotonic())
            except OSError as error:
                # the keys that are known hold on, and /health tells
                self.trouble = str(error)

    def find(self, text: bytes) -> Grant | None:
        """The key that ``text`` is, or None; a wrong secret takes as long as a right one."""
        grant = self._grants.get(text[ID])
        known = grant.digest if grant is not None else _NO_DIGEST
        return grant if compare_digest(sha256(text).digest(), known) else None

    def _take(self, keys: Sequence[Key], now: float) -> None:
        share = 1 / self.settings.service_workers
        grants = {}
        for key in keys:
            own = key.id.encode()
            rate, burst = share * key.per_second, max(1.0, share * key.burst)
            before = self._grants.get(own)
            # whoever has used up their rate has not got it back because another key was made
            kept = before is not None and (before.bucket.per_second, before.bucket.burst) == (rate, burst)
            bucket = before.bucket if kept and before is not None else Bucket.full(rate, burst, now)
            grants[own] = Grant(key, bytes.fromhex(key.digest), frozenset(key.scopes), bucket)
        self._grants = grants


def on_loopback(host: str) -> bool:
    """Whether only this machine reaches a service that binds to ``host``."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_exposed(settings: Settings) -> None:
    """Refuse (BadInput) a keys file that cannot be read, and to let others reach what asks for no key."""
    if settings.open or read_keys(settings.keys_file) or on_loopback(settings.service_host):
        return
    raise BadInput(
        f"starting the service on {settings.service_host}: others could reach it, and {settings.keys_file}"
        " holds no API key",
        hint="make one with `reco keys add NAME --scope recommend`, or say with RECO_OPEN=true that whoever"
        " reaches it may ask",
    )
