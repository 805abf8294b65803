"""A real S3 server on this machine, in a process of its own, and a new bucket for every test.

In this process it could not answer while the Delta reader, which holds the interpreter, waits for it.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, cast
from uuid import uuid4

import boto3
import pytest

from reco_assets.events.s3 import Client
from reco_assets.platform.settings import Settings


class Store(Client, Protocol):
    """boto3's client, as much of it as the tests use to fill a bucket."""

    def create_bucket(self, *, Bucket: str) -> object: ...
    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> object: ...
    def delete_object(self, *, Bucket: str, Key: str) -> object: ...
    def upload_file(self, path: str, bucket: str, key: str, /) -> None: ...
    def close(self) -> None: ...


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the server."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    log = tmp_path_factory.mktemp("moto") / "log"
    with log.open("w") as told:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=told,
            stderr=subprocess.STDOUT,
        )
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if server.poll() is not None:
                break
            time.sleep(0.05)
        else:
            pytest.fail(f"the S3 server does not answer: {log.read_text()}")
        assert server.poll() is None, log.read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture
def settings(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Lake and landing files in a new bucket; a process started from here has the same settings."""
    bucket = f"shop-{uuid4().hex}"
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "RECO_HOME": str(tmp_path / "home"),
        "RECO_LAKE_URI": f"s3://{bucket}/lake",
        "RECO_LANDING_S3": f"s3://{bucket}/landing",
        "RECO_S3_ENDPOINT": endpoint,
        "DAGSTER_HOME": str(tmp_path / "dagster"),
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "RECO_S3_REGION", "RECO_FIRST_DAY"):
        monkeypatch.delenv(name, raising=False)
    return Settings()


@pytest.fixture
def client(settings: Settings) -> Iterator[Store]:
    """A boto3 client of the server; the bucket is there."""
    made = cast(Store, boto3.client("s3", endpoint_url=settings.s3_endpoint, region_name="us-east-1"))
    made.create_bucket(Bucket=bucket_of(settings))
    yield made
    made.close()


def bucket_of(settings: Settings) -> str:
    """The bucket of the test."""
    assert settings.lake_uri is not None
    return settings.lake_uri.removeprefix("s3://").partition("/")[0]
