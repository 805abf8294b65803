"""Settings choose the stream; the client libraries of the others are not loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("chosen", "kind", "absent"),
    [
        ("redis", "RedisStream", {"confluent_kafka", "boto3"}),
        ("kafka", "KafkaStream", {"boto3"}),
        ("kinesis", "KinesisStream", {"confluent_kafka"}),
    ],
)
def test_the_setting_chooses_and_nothing_else_is_loaded(chosen: str, kind: str, absent: set[str]) -> None:
    program = (
        "import sys; from reco_assets.platform.settings import Settings;"
        "from reco_assets.platform.streams.open import open_stream;"
        "stream = open_stream(Settings(stream_name='clicks'));"
        "print(type(stream).__name__, stream.name, open_stream(Settings(), 'decisions').name, *sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        env={"RECO_STREAM": chosen, "AWS_REGION": "us-east-1", "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert said[:3] == [kind, "clicks", "decisions"]
    assert not absent & set(said)
