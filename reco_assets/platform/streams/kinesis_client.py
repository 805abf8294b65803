"""What is asked of Kinesis, and how long: boto3's client, and patience where it throttles."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias, cast

from botocore.exceptions import BotoCoreError, ClientError

from reco_assets.platform.settings import Settings
from reco_assets.platform.streams.stream import StreamUnavailable

Reply: TypeAlias = Mapping[str, Any]

PATIENCE: Final = 5.0  # seconds that a throttled request is tried again
_THROTTLED: Final = {
    "ProvisionedThroughputExceededException",
    "LimitExceededException",
    "ThrottlingException",
}


class Client(Protocol):
    """As much of boto3's Kinesis client as is used here."""

    def create_stream(self, *, StreamName: str, ShardCount: int) -> object:
        """Begin to make a stream."""

    def describe_stream_summary(self, *, StreamName: str) -> Reply:
        """Whether it is ready."""

    def list_shards(self, **which: str) -> Reply:
        """A page of its shards."""

    def put_records(self, *, StreamName: str, Records: Sequence[Mapping[str, str | bytes]]) -> Reply:
        """Append."""

    def get_shard_iterator(self, **where: str) -> Reply:
        """A place to read from."""

    def get_records(self, *, ShardIterator: str, Limit: int) -> Reply:
        """Read."""

    def close(self) -> None:
        """Give the connections back."""


def kinesis_client(settings: Settings) -> Client:
    """A boto3 client of the Kinesis that ``settings`` mean; not asked yet. Raises StreamUnavailable."""
    import boto3
    from botocore.config import Config

    try:
        made = boto3.client(
            "kinesis",
            endpoint_url=settings.kinesis_endpoint,
            region_name=settings.s3_region,
            config=Config(
                connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2, "mode": "standard"}
            ),
        )
    except BotoCoreError as error:
        raise StreamUnavailable(
            f"opening Kinesis: {error}", hint="set AWS_REGION or RECO_S3_REGION"
        ) from error
    return cast(Client, made)


class Patience:
    """Asks again, ever more slowly, while Kinesis says that it is too much.

    Parameters
    ----------
    clock, sleep
        Seconds that only grow, and waiting for some.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.clock, self.sleep = clock, sleep

    def ask(self, request: Callable[..., Reply], **arguments: Any) -> Reply:  # noqa: ANN401 - boto3's own
        """The reply to ``request``; raises what it raises, throttling only after :data:`PATIENCE`."""
        pauses = self.pauses()
        while True:
            try:
                return request(**arguments)
            except ClientError as error:
                if code_of(error) not in _THROTTLED or not next(pauses):
                    raise

    def pauses(self) -> Iterator[bool]:
        """Each step waits, longer from time to time; False, at once, when patience is over."""
        end, pause = self.clock() + PATIENCE, 0.05
        while self.clock() < end:
            self.sleep(pause)
            pause = min(2 * pause, 1.0)
            yield True
        yield False


def code_of(error: ClientError) -> str:
    """AWS' name of what went wrong."""
    return str(error.response["Error"]["Code"])
