"""Where the recommender listens, what it reads, and how long each part may take."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator

from serving.configuration.addresses import Addresses
from serving.configuration.tls import ServerTls

Scope = Literal["recommend", "record", "admin"]

Token = Annotated[SecretStr, Field(min_length=16)]


class ServingSettings(Addresses):
    """The settings of the recommender."""

    EMBEDDED: ClassVar[dict[str, str]] = Addresses.EMBEDDED | {
        "cache": "{home}/cache",
        "features": "{home}/warehouse/features",
    }

    host: str = Field("127.0.0.1", description="the address to listen on; loopback unless opened")
    port: int = Field(50051, ge=0, le=65535, description="0 takes any free port")
    metrics_port: int | None = Field(
        None, ge=0, le=65535, description="Prometheus metrics, of all workers; off when absent"
    )

    workers: int = Field(1, ge=1, le=256, description="processes behind the port, best one a core")
    shared_port: bool = Field(False, description="other servers may listen on it; workers do")

    cache: str = Field("", description="where a remote release is copied to")
    features: str = Field("", description="Feast's offline store: a directory or an fsspec URL")
    model_server: str = Field(
        "127.0.0.1:8500", description="host:port of a TensorFlow Serving, https://host:port for TLS"
    )

    deadline_ms: float = Field(1000, gt=0, description="for a client that sets none")
    history_budget_ms: float = Field(150, gt=0, description="reading the history, before its fallback")
    interest_budget_ms: float = Field(150, gt=0, description="asking the model server, before its fallback")
    ranking_reserve_ms: float = Field(10, ge=0, description="kept back for retrieval and reranking")
    release_poll_ms: float = Field(200, gt=0, description="how often the live version is looked up")

    threads: int = Field(
        8, ge=1, le=256, description="calls under way at once; threads for each part that may hang"
    )
    max_concurrent_requests: int = Field(
        256, ge=1, description="as many again may wait to be looked at; more are refused at once"
    )
    requests_per_second: float = Field(0, ge=0, description="for each client address; 0 is no limit")
    max_message_bytes: int = Field(1 << 20, ge=1024, description="of a request")
    max_k: int = Field(1000, ge=1)
    max_history: int = Field(1000, ge=0, description="interactions that one request may carry")
    max_record: int = Field(1000, ge=1, description="interactions that one request may record")

    tokens: dict[Scope, list[Token]] = Field(
        default_factory=dict, description="bearer tokens by scope, as JSON; admin has every scope"
    )
    tls_certificate: Path | None = Field(None, description="PEM chain of this server")
    tls_key: Path | None = Field(None, description="PEM private key of this server")
    tls_client_ca: Path | None = Field(None, description="PEM roots of clients: asks each for a certificate")
    log_format: Literal["text", "json"] = Field("text", description="of the lines on stderr")
    log_requests: bool = Field(False, description="a line for each call, with its request id")
    log_user_ids: bool = Field(False, description="name the user in those lines")
    traces: str = Field(
        "",
        pattern="^(https?://.+)?$",
        description="collector of OpenTelemetry spans over OTLP/gRPC; off when empty",
    )
    trace_file: Path | None = Field(None, description="OpenTelemetry spans as JSON lines; off when absent")
    trace_share: float = Field(1.0, ge=0, le=1, description="of the requests, beside those a client traces")
    scenarios: Path | None = Field(None, description="policies by name, TOML; the shipped ones when absent")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        _ = self.tls  # raises where a part is missing
        return self

    @property
    def tls(self) -> ServerTls:
        return ServerTls(self.tls_certificate, self.tls_key, self.tls_client_ca)


load_settings = ServingSettings.load
