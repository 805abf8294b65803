"""The stream that settings name."""

from __future__ import annotations

from reco_assets.platform.redis import connect
from reco_assets.platform.settings import Settings
from reco_assets.platform.streams.stream import Stream


def open_stream(settings: Settings, name: str | None = None) -> Stream:
    """The stream ``name``, by default that of events, where ``settings.stream`` says; not asked yet.

    The embedded Redis has to run already. Raises StreamUnavailable where AWS' settings are missing.
    """
    name = name or settings.stream_name
    if settings.stream == "kafka":
        from reco_assets.platform.streams.kafka_stream import KafkaStream

        return KafkaStream(settings.kafka_servers, name, settings.stream_partitions)
    if settings.stream == "kinesis":
        from reco_assets.platform.streams.kinesis_client import kinesis_client
        from reco_assets.platform.streams.kinesis_stream import KinesisStream

        return KinesisStream(kinesis_client(settings), name, settings.stream_partitions)
    from reco_assets.platform.streams.redis_stream import RedisStream

    return RedisStream(connect(settings), name, settings.stream_partitions, settings.stream_most)
