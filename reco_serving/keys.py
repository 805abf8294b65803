"""API keys: how they look, and the file that holds their hashes.

A key is ``reco_``, an id of eight letters, ``_``, and a secret of 256 random bits. A hash of so much
randomness cannot be searched, so one round of SHA-256 is enough, and costs a microsecond at each request.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from reco_assets.errors import BadInput
from reco_serving.access import Scope

PREFIX: Final = "reco_"
#: Random bytes of a key: the first few are its id.
RANDOM_BYTES: Final = 36
_ID_BYTES: Final = 4
#: Where the id stands in a key.
ID: Final = slice(len(PREFIX), len(PREFIX) + 2 * _ID_BYTES)


class Key(Struct, frozen=True):
    """What is kept of a key: not the key itself.

    Attributes
    ----------
    digest
        SHA-256 of the whole key, hexadecimal.
    per_second, burst
        Requests that it may make a second, and at once after a rest.
    """

    id: str
    name: str
    scopes: Annotated[list[Scope], Meta(min_length=1)]
    digest: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    created_at: datetime
    per_second: Annotated[float, Meta(gt=0)]
    burst: Annotated[float, Meta(ge=1)]


class _File(Struct, frozen=True):
    keys: list[Key]
    version: Annotated[int, Meta(ge=1, le=1)] = 1


def new_key(
    name: str, scopes: Sequence[Scope], per_second: float, burst: float, random: bytes, now: datetime
) -> tuple[str, Key]:
    """A key made of ``random`` (``RANDOM_BYTES`` of them), for whoever asked for it, and what is kept."""
    own = random[:_ID_BYTES].hex()
    secret = urlsafe_b64encode(random[_ID_BYTES:]).decode().rstrip("=")
    text = f"{PREFIX}{own}_{secret}"
    kept = Key(own, name, sorted(set(scopes)), sha256(text.encode()).hexdigest(), now, per_second, burst)
    return text, kept


def read_keys(path: Path) -> tuple[Key, ...]:
    """The keys that a file holds; none where there is no file.

    Raises
    ------
    BadInput
        It cannot be read.
    """
    try:
        return tuple(msgspec.json.decode(path.read_bytes(), type=_File).keys)
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(
            f"reading the keys file {path}: {error}",
            hint="bring back an earlier copy, or delete it and make keys anew with `reco keys add`",
        ) from error


def write_keys(path: Path, keys: Sequence[Key]) -> None:
    """Put ``keys`` into the file, as a whole, for its owner's eyes alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.touch(mode=0o600)
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(_File(list(keys)))))
    partial.replace(path)
