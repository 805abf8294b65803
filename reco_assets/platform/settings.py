"""Every setting of the engine, in one typed place, read from ``RECO_*`` environment variables."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Settings(BaseSettings):
    """Where things are and what they run on; the defaults are one laptop with nothing installed."""

    model_config = SettingsConfigDict(
        env_prefix="RECO_", env_file=None, frozen=True, extra="forbid", populate_by_name=True
    )

    home: Path = Field(Path("data"), description="Folder for the lake, Redis, MLflow and bundles.")
    engine: Literal["duckdb", "spark"] = Field("duckdb", description="What runs the feature tables.")
    threads: int = Field(0, description="Threads for compute; 0 takes every core.", ge=0)
    memory_gb: float = Field(4.0, description="Memory the compute engine may use, GB.", gt=0)
    lake_uri: str | None = Field(None, description="Root of the lake; default <home>/lake.")
    landing: Path | None = Field(
        None, description="Folder whose files raw_events imports; default <home>/landing."
    )
    landing_s3: str | None = Field(
        None, description="s3://bucket/prefix whose files raw_events brings into the landing folder first."
    )
    s3_endpoint: str | None = Field(
        None, description="Address of an S3 store other than AWS, of the lake and of RECO_LANDING_S3."
    )
    s3_region: str | None = Field(
        None,
        validation_alias=AliasChoices("RECO_S3_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"),
        description="Region of the buckets; default AWS_REGION, then what the AWS profile says.",
    )
    first_day: date | None = Field(
        None, description="First daily partition; default: the first day that the lake holds."
    )
    redis_url: str | None = Field(
        None, description="Redis to use, as redis://host:port/0; default an embedded one in <home>/redis."
    )
    redis_port: int = Field(6399, description="TCP port of the embedded Redis, on 127.0.0.1.")
    stream: Literal["redis", "kafka", "kinesis"] = Field("redis", description="What carries shop events.")
    stream_name: str = Field("events", description="Name of the stream, topic or Kinesis stream of events.")
    stream_partitions: int = Field(
        4, description="Partitions of a stream that the engine creates itself.", ge=1, le=1024
    )
    stream_seconds: float = Field(10.0, description="Seconds between two micro-batches.", gt=0)
    stream_most: int = Field(
        2_000_000, description="Unread records that a Redis stream may hold, over its partitions.", ge=1
    )
    changes_streams: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Streams of a shop database's changes that are followed, with commas between.",
    )
    kafka_servers: str = Field("127.0.0.1:9092", description="Bootstrap servers of Kafka.")
    kinesis_endpoint: str | None = Field(None, description="Address of a Kinesis other than AWS.")
    mlflow_uri: str | None = Field(
        None, description="MLflow tracking server; default sqlite in <home>/mlflow."
    )
    model_name: str = Field("reco-bundle", description="Name of the bundle in the MLflow registry.")
    explore: float = Field(
        0.1,
        description="Share of an answer's places that new products may take (one place at the most), as "
        "the next bundle proposes it; 0 switches it off.",
        ge=0,
        le=1,
    )
    diversity: float = Field(
        0.0,
        description="How much a product gives way to ones that are less like those above it, as the next "
        "bundle proposes it; 0 ranks by score alone.",
        ge=0,
        lt=1,
    )
    policy: Path | None = Field(
        None,
        description="File of the rules after ranking; default <home>/policy.toml where it exists, else the "
        "bundle's own rules.",
    )
    ranker: Path | None = Field(
        None,
        description="File of the ranker's hyper-parameters, as `reco tune` writes it; default "
        "<home>/ranker.toml where it exists.",
    )
    service_host: str = Field("127.0.0.1", description="Address that the service binds to.")
    service_port: int = Field(3000, description="Port of the service.")
    service_workers: int = Field(1, description="Worker processes of the service.", ge=1)
    deadline_ms: float = Field(
        100.0,
        description="Time in which a request is answered as well as can be done in it, ms, where the header "
        "X-Deadline-Ms does not say otherwise.",
        gt=0,
        le=60_000,
    )
    streams: int = Field(
        200, description="Open streams of new lists (/stream) that a worker holds at the most.", ge=0
    )
    remembered_users: int = Field(
        20_000,
        description="Users and sessions whose values a worker remembers for when Redis cannot be read.",
        ge=0,
    )
    swap_overlap: float = Field(
        0.02,
        description="Share of an answer's products that a new bundle must have in common with the one that "
        "serves, on average over recorded requests; 0 lets any bundle serve.",
        ge=0,
        le=1,
    )
    swap_slower: float = Field(
        3.0, description="How many times the time of the old bundle a new one may take to answer.", ge=1
    )
    user_ttl_days: int = Field(30, description="Days a user's online value lives.", ge=1)
    product_ttl_days: int = Field(7, description="Days a product's online value lives.", ge=1)
    spool_mb: int = Field(
        256,
        description="Events that a worker of the service keeps on disk while the stream is down, MB.",
        ge=1,
    )
    decision_evidence: float = Field(
        0.0,
        description="Share of decision records that hold digests of candidates and features.",
        ge=0,
        le=1,
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="How the service writes its log; json has a line for each answer as well."
    )
    otlp_endpoint: str | None = Field(
        None,
        description="OTLP/HTTP collector that traces go to, as http://127.0.0.1:4318; default: no traces.",
    )
    trace_share: float = Field(
        0.01,
        description="Share of requests that are traced where their traceparent does not say.",
        ge=0,
        le=1,
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Origins whose pages may send events and ask, with commas between; * is any.",
    )
    keys: Path | None = Field(
        None,
        description="File of the API keys that the service asks for; default <home>/keys.json. Where there "
        "is none, a service on loopback asks for no key, and one elsewhere does not start.",
    )
    open: bool = Field(
        False, description="Ask for no key, whatever the keys file says and whoever reaches the service."
    )
    key: SecretStr | None = Field(
        None, description="API key that the commands of this machine send to the service."
    )

    @field_validator("cors_origins", "changes_streams", mode="before")
    @classmethod
    def _separated(cls, value: object) -> object:
        """Several things as the environment has them: one text."""
        if not isinstance(value, str):
            return value
        return tuple(item.strip().rstrip("/") for item in value.split(",") if item.strip())

    @property
    def lake_root(self) -> str:
        """URI or absolute path of the lake's root."""
        return self.lake_uri or str((self.home / "lake").resolve())

    @property
    def landing_folder(self) -> Path:
        """Folder whose files ``raw_events`` imports."""
        return self.landing or self.home / "landing"

    @property
    def policy_file(self) -> Path:
        """File of the rules after ranking; it need not exist."""
        return self.policy or self.home / "policy.toml"

    @property
    def ranker_file(self) -> Path:
        """File of the ranker's hyper-parameters; it need not exist."""
        return self.ranker or self.home / "ranker.toml"

    @property
    def keys_file(self) -> Path:
        """File of the API keys; it need not exist."""
        return self.keys or self.home / "keys.json"

    @property
    def policies_folder(self) -> Path:
        """Folder of every policy that was served, by digest."""
        return self.home / "policies"

    @property
    def mlflow_tracking_uri(self) -> str:
        """MLflow's tracking and registry URI."""
        if self.mlflow_uri:
            return self.mlflow_uri
        return f"sqlite:///{(self.home / 'mlflow' / 'mlflow.db').resolve()}"
