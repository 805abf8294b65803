"""Files of a bucket into the landing folder: each object once, and again when it has changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final, Protocol, TypeAlias, cast

from botocore.exceptions import BotoCoreError, ClientError

from reco_assets.errors import BadInput, MissingDependency
from reco_assets.platform.settings import Settings

#: What was brought, in the landing folder: address of the object -> its ETag and size.
MEMORY: Final = ".s3.json"
Brought: TypeAlias = dict[str, tuple[str, int]]


class Pages(Protocol):
    """A listing, page by page, as boto3 has it."""

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterable[Mapping[str, Any]]:
        """Pages of the objects of ``Bucket`` whose keys begin with ``Prefix``."""


class Client(Protocol):
    """As much of boto3's S3 client as is used here."""

    def get_paginator(self, operation: str, /) -> Pages:
        """The listing ``operation``."""

    def download_file(self, bucket: str, key: str, path: str, /) -> None:
        """Write an object into the file ``path``."""


def s3_client(settings: Settings) -> Client:
    """A boto3 client of the store that ``settings`` name; the store is not asked yet."""
    import boto3

    made = boto3.client("s3", endpoint_url=settings.s3_endpoint, region_name=settings.s3_region)
    return cast(Client, made)


def bring_landing(settings: Settings, connect: Callable[[], Client]) -> list[Path]:
    """Bring what ``settings.landing_s3`` names into the landing folder; the files that are new there."""
    if settings.landing_s3 is None:
        return []
    return bring(connect(), settings.landing_s3, settings.landing_folder)


def bring(client: Client, uri: str, folder: Path) -> list[Path]:
    """Make ``folder`` hold every object under ``uri`` as it is now, at the same relative path.

    What was brought before is fetched again only where the object has changed or the file has gone.
    A file appears whole or not at all, and nothing is removed. Hidden and marker objects (``.x``,
    ``_SUCCESS``) stay where they are, as in the landing folder.

    Parameters
    ----------
    uri
        ``s3://bucket`` or ``s3://bucket/prefix``.

    Returns
    -------
    list of Path
        The files that were fetched now, in the order of their keys.

    Raises
    ------
    BadInput
        ``uri`` is no address of S3, or a key leads out of the folder.
    MissingDependency
        There is no such bucket, or it cannot be read.
    """
    bucket, prefix = _parts(uri)
    before = _remembered(folder)
    now = dict(before)
    fetched = []
    try:
        for key, etag, size in _objects(client, bucket, prefix):
            address = f"s3://{bucket}/{key}"
            path = folder / _relative(key.removeprefix(prefix), address)
            if before.get(address) == (etag, size) and path.is_file() and path.stat().st_size == size:
                continue
            _fetch(client, bucket, key, path)
            now[address] = (etag, size)
            fetched.append(path)
    except (BotoCoreError, ClientError) as error:
        raise MissingDependency(
            f"bringing {uri} to {folder}: {error}",
            hint="check RECO_LANDING_S3, RECO_S3_ENDPOINT and the AWS_* credentials",
        ) from error
    finally:
        if now != before:
            _remember(folder, now)
    return fetched


def _parts(uri: str) -> tuple[str, str]:
    """Bucket and prefix; a prefix is a folder, so that ``shop`` does not mean ``shop2/x`` too."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket:
        raise BadInput(f"bringing {uri!r}: this is no address of S3", hint="it reads s3://bucket/prefix")
    prefix = prefix.strip("/")
    return bucket, f"{prefix}/" if prefix else ""


def _objects(client: Client, bucket: str, prefix: str) -> Iterator[tuple[str, str, int]]:
    """Key, ETag and size of each object that the landing folder would not ignore."""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for found in page.get("Contents", ()):
            key = str(found["Key"])
            parts = key.removeprefix(prefix).split("/")
            hidden = any(part.startswith((".", "_")) for part in parts if part != "..")
            if parts[-1] and not hidden:  # a key that ends with / is how consoles make a folder
                yield key, str(found["ETag"]), int(found["Size"])


def _relative(key: str, address: str) -> PurePosixPath:
    path = PurePosixPath(key)
    if path.is_absolute() or ".." in path.parts:
        raise BadInput(f"bringing {address}: its key leads out of the landing folder", hint="rename it")
    return path


def _fetch(client: Client, bucket: str, key: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        client.download_file(bucket, key, str(partial))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _remembered(folder: Path) -> Brought:
    file = folder / MEMORY
    if not file.is_file():
        return {}
    try:
        return {
            str(key): (str(etag), int(size)) for key, (etag, size) in json.loads(file.read_text()).items()
        }
    except (ValueError, AttributeError, TypeError) as error:
        raise BadInput(
            f"reading {file}: {error}", hint="delete it: every object is then brought again"
        ) from error


def _remember(folder: Path, brought: Brought) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{MEMORY}.partial"
    partial.write_text(json.dumps(brought, indent=1))
    partial.replace(folder / MEMORY)
