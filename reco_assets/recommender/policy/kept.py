"""Texts of the policies that were served, by digest: where a decision is made again, they are found."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from reco_assets.errors import BadInput
from reco_assets.recommender.bundle import Bundle
from reco_assets.recommender.policy.document import digest_of
from reco_assets.recommender.policy.rules import Rules

#: Holds the digest of the policy that was taken last; empty where that was the bundle's own.
_LAST: Final = "last"


def keep(folder: Path, text: bytes) -> str:
    """Keep ``text`` in ``folder`` and note it as the last; its digest. Raises OSError."""
    digest = digest_of(text) if text else ""
    folder.mkdir(parents=True, exist_ok=True)
    if digest and not _file(folder, digest).exists():
        _write(_file(folder, digest), text)
    _write(folder / _LAST, digest.encode())
    return digest


def last_kept(folder: Path) -> bytes | None:
    """The text that :func:`keep` noted last; None where there is none, or the bundle's own rules were."""
    try:
        digest = (folder / _LAST).read_text()
    except FileNotFoundError:
        return None
    return kept_text(folder, digest) if digest else None


def kept_text(folder: Path, digest: str) -> bytes:
    """The text with that ``digest``; raises BadInput where it was not kept here, or is not that any more."""
    try:
        text = _file(folder, digest).read_bytes()
    except FileNotFoundError as error:
        raise BadInput(
            f"looking for policy {digest}: it is not in {folder}",
            hint="copy it from the home folder of the service that answered",
        ) from error
    if digest_of(text) != digest:
        raise BadInput(f"looking for policy {digest}: the file in {folder} was changed", hint="restore it")
    return text


def rules_of(folder: Path, digest: str, bundle: Bundle) -> Rules:
    """The rules that a decision record names; the bundle's own where ``digest`` is empty."""
    return Rules.read(kept_text(folder, digest), bundle, digest) if digest else Rules(bundle)


def _file(folder: Path, digest: str) -> Path:
    return folder / f"{digest}.toml"


def _write(target: Path, text: bytes) -> None:
    # other workers write the same at the same moment: each has a file of its own until it is whole
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    partial.write_bytes(text)
    partial.replace(target)
