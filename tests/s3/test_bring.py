from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from reco_assets.errors import BadInput, MissingDependency
from reco_assets.events.landing import landing_files
from reco_assets.events.s3 import MEMORY, Client, bring, bring_landing, s3_client
from reco_assets.platform.resources import Buckets
from reco_assets.platform.settings import Settings
from tests.s3.conftest import Store, bucket_of

DAY = "events/2024-05-01.jsonl"


@pytest.fixture
def bucket(settings: Settings, client: Store) -> str:
    """A bucket with two event files, one product file, and what nobody should bring."""
    name = bucket_of(settings)
    for key, body in {
        f"landing/{DAY}": b"one",
        "landing/shop2/events/2024-05-02.jsonl": b"two",
        "landing/products.csv": b"three",
        "landing/events/": b"",
        "landing/_SUCCESS": b"",
        "landing/.tmp/x.jsonl": b"?",
        "landing2/events/other.jsonl": b"?",
    }.items():
        client.put_object(Bucket=name, Key=key, Body=body)
    return name


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in landing_files(folder)}


def test_the_folder_gets_what_is_under_the_prefix_at_the_same_relative_path(
    settings: Settings, bucket: str, tmp_path: Path
) -> None:
    brought = bring(s3_client(settings), f"s3://{bucket}/landing/", tmp_path / "landing")
    assert content(tmp_path / "landing") == {
        DAY: b"one",
        "products.csv": b"three",
        "shop2/events/2024-05-02.jsonl": b"two",
    }
    assert sorted(brought) == landing_files(tmp_path / "landing")
    assert {path.name for path in (tmp_path / "landing").iterdir() if path.name.startswith((".", "_"))} == {
        MEMORY
    }


def test_what_is_there_is_not_brought_again(settings: Settings, bucket: str) -> None:
    first = bring_landing(settings, lambda: s3_client(settings))
    written = {path: path.stat().st_mtime_ns for path in first}
    assert len(written) == 3
    assert bring_landing(settings, lambda: s3_client(settings)) == []
    assert {path: path.stat().st_mtime_ns for path in first} == written


def test_a_changed_a_new_and_a_lost_file_are_brought(
    settings: Settings, client: Store, bucket: str, tmp_path: Path
) -> None:
    uri = f"s3://{bucket}/landing"
    bring(client, uri, tmp_path)
    client.put_object(Bucket=bucket, Key=f"landing/{DAY}", Body=b"ONE")  # as long as before
    client.put_object(Bucket=bucket, Key="landing/users.csv", Body=b"four")
    (tmp_path / "products.csv").unlink()
    assert bring(client, uri, tmp_path) == [tmp_path / DAY, tmp_path / "products.csv", tmp_path / "users.csv"]
    assert content(tmp_path)[DAY] == b"ONE"


def test_what_left_the_bucket_stays_in_the_folder(client: Store, bucket: str, tmp_path: Path) -> None:
    bring(client, f"s3://{bucket}/landing", tmp_path)
    client.delete_object(Bucket=bucket, Key=f"landing/{DAY}")
    assert bring(client, f"s3://{bucket}/landing", tmp_path) == []
    assert DAY in content(tmp_path)


def test_a_listing_of_many_pages_is_read_to_its_end(client: Store, bucket: str, tmp_path: Path) -> None:
    for number in range(5):
        client.put_object(Bucket=bucket, Key=f"many/{number}.csv", Body=b"x")

    class TwoAtATime:
        """The client, with pages of two objects."""

        download_file = staticmethod(client.download_file)

        def get_paginator(self, operation: str, /) -> TwoAtATime:
            self.operation = operation
            return self

        def paginate(self, *, Bucket: str, Prefix: str) -> Iterable[Mapping[str, Any]]:
            real: Any = client.get_paginator(self.operation)
            found: list[Mapping[str, Any]] = list(
                real.paginate(Bucket=Bucket, Prefix=Prefix, PaginationConfig={"PageSize": 2})
            )
            assert len(found) == 3
            return found

    assert len(bring(TwoAtATime(), f"s3://{bucket}/many", tmp_path)) == 5


def test_a_download_that_breaks_off_leaves_no_file_and_the_next_run_goes_on(
    client: Store, bucket: str, tmp_path: Path
) -> None:
    class Crash(Exception):
        """Stands for a connection, or a process, that ends here."""

    class Breaking:
        """The client, breaking off in the middle of the product file."""

        get_paginator = staticmethod(client.get_paginator)

        def download_file(self, bucket: str, key: str, path: str, /) -> None:
            if key.endswith("products.csv"):
                Path(path).write_bytes(b"th")
                raise Crash
            client.download_file(bucket, key, path)

    uri = f"s3://{bucket}/landing"
    with pytest.raises(Crash):
        bring(Breaking(), uri, tmp_path)
    assert content(tmp_path) == {DAY: b"one"}
    assert bring(client, uri, tmp_path) == [
        tmp_path / "products.csv",
        tmp_path / "shop2/events/2024-05-02.jsonl",
    ]


def test_a_missing_bucket_is_said_so(client: Store, tmp_path: Path) -> None:
    with pytest.raises(MissingDependency, match=r"s3://nowhere-to-be-found/x.*bucket does not exist"):
        bring(client, "s3://nowhere-to-be-found/x", tmp_path)


def test_a_key_cannot_write_outside_the_folder(client: Store, bucket: str, tmp_path: Path) -> None:
    client.put_object(Bucket=bucket, Key="bad/../../escaped.csv", Body=b"x")
    with pytest.raises(BadInput, match="out of the landing folder"):
        bring(client, f"s3://{bucket}/bad", tmp_path / "a" / "landing")
    assert not list(tmp_path.rglob("escaped.csv"))


@pytest.mark.parametrize("uri", ["shop/landing", "s3://", "s3:///landing", "https://shop/landing"])
def test_an_address_that_is_none_is_named(client: Store, uri: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no address of S3"):
        bring(client, uri, tmp_path)


def test_the_resource_of_the_assets_is_the_same_store(settings: Settings, bucket: str) -> None:
    assert len(bring_landing(settings, Buckets().get_client)) == 3
    elsewhere = Buckets(endpoint_url="http://127.0.0.1:1", region_name="eu-west-1").get_client()
    assert elsewhere.meta.endpoint_url == "http://127.0.0.1:1"
    assert elsewhere.meta.region_name == "eu-west-1"


def test_without_the_setting_no_store_is_asked(tmp_path: Path) -> None:
    def connect() -> Client:
        raise AssertionError("asked")

    assert bring_landing(Settings(home=tmp_path), connect) == []
