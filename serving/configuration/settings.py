"""The settings of the recommender: addresses, limits, timeouts, security and telemetry."""

from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, SecretStr, model_validator

from serving.configuration.addresses import Addresses
from serving.connections.tls import ServerTls

LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]", "::1")

Scope = Literal["recommend", "record", "preferences", "erase", "admin"]

Token = Annotated[SecretStr, Field(min_length=16)]


class ServingSettings(Addresses):
    """Each setting is an environment variable: PENCHANT_ and its name in upper case."""

    EMBEDDED: ClassVar[dict[str, str]] = Addresses.EMBEDDED | {
        "cache": "{home}/cache",
        "features": "{home}/warehouse/features",
    }

    host: str = Field("127.0.0.1", description="address to listen on; loopback by default")
    port: int = Field(50051, ge=0, le=65535, description="port to listen on; 0 takes any free one")
    metrics_port: int | None = Field(
        None, ge=0, le=65535, description="port of the Prometheus metrics of all workers; off when absent"
    )

    workers: int = Field(1, ge=1, le=256, description="processes that share the port; set one per CPU core")
    shared_port: bool = Field(False, description="let other processes listen on the port; set for workers")
    end_with_parent: bool = Field(
        False, description="stop when standard input closes; set for child processes"
    )

    cache: str = Field("", description="folder for copies of remote releases")
    features: str = Field("", description="Feast's offline store: a directory or an fsspec URL")
    model_server: str = Field(
        "127.0.0.1:8500", description="host:port of TensorFlow Serving; https://host:port for TLS"
    )

    deadline_ms: float = Field(
        1000, gt=0, description="longest time for an answer; a client's own deadline shortens it"
    )
    history_budget_ms: float = Field(150, gt=0, description="timeout of reading the history")
    interest_budget_ms: float = Field(150, gt=0, description="timeout of a call to the model server")
    ranking_reserve_ms: float = Field(10, ge=0, description="time that earlier stages leave for ranking")
    release_poll_ms: float = Field(200, gt=0, description="interval at which the live version is read")

    # serving/README.md explains how these limits work together; each holds per worker.
    requests_per_second: float = Field(
        0, ge=0, description="limit for one client address, counted by each worker; 0 is no limit"
    )
    max_in_flight: int = Field(
        8, ge=1, le=256, description="calls processed at the same time; further calls wait for a slot"
    )
    max_concurrent_requests: int = Field(
        256, ge=1, description="calls accepted, processed or waiting; further calls are refused"
    )
    max_connections: int = Field(4096, ge=1, description="open connections of all clients")
    max_streams: int = Field(
        128, ge=1, description="open calls of one connection; its client waits with further calls"
    )
    max_watches: int = Field(256, ge=1, description="open streams of health watches and reflection")
    message_timeout_ms: float = Field(
        10_000, gt=0, description="longest time from the headers of a call to its message"
    )
    max_message_bytes: int = Field(1 << 20, ge=1024, description="largest request")
    max_k: int = Field(1000, ge=1, description="most items of one answer")
    max_explained_k: int = Field(100, ge=1, description="most items of an answer with explain")
    max_history: int = Field(1000, ge=0, description="most interactions in one request's history")
    max_record: int = Field(1000, ge=1, description="most interactions that one request records")

    insecure: bool = Field(
        False, description="without tokens, serve everybody who can reach an address other than loopback"
    )
    tokens: dict[Scope, list[Token]] = Field(
        default_factory=dict, description="JSON: lists of bearer tokens by scope; admin allows every call"
    )
    tls_certificate: Path | None = Field(None, description="PEM certificate chain of this server")
    tls_key: Path | None = Field(None, description="PEM private key of this server")
    tls_client_ca: Path | None = Field(None, description="PEM roots; requires a client certificate")
    log_format: Literal["text", "json"] = Field("text", description="format of the log on stderr")
    log_requests: bool = Field(False, description="log a line for each call, with its request id")
    log_user_ids: bool = Field(False, description="include the user id in those lines")
    traces: str = Field(
        "",
        pattern="^(https?://.+)?$",
        description="URL of an OpenTelemetry collector (OTLP/gRPC); off when empty",
    )
    trace_file: Path | None = Field(None, description="file for spans as JSON lines; off when absent")
    trace_share: float = Field(
        1.0, ge=0, le=1, description="share of requests to trace; a request that its client traces always is"
    )
    exposure_share: float = Field(
        1.0, ge=0, le=1, description="share of requests of whose answers it is recorded what they showed"
    )
    exposure_days: float = Field(30, gt=0, description="days after which these records are deleted")
    scenarios: Path | None = Field(None, description="TOML file of scenarios; the shipped ones when absent")

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        _ = self.tls  # raises ValueError for an incomplete set of files
        return self

    @model_validator(mode="after")
    def _check_access(self) -> Self:
        is_open = not self.tokens and not self.tls_client_ca and not self.insecure
        if is_open and self.host not in LOOPBACK:
            raise ValueError(
                f"PENCHANT_HOST={self.host!r} without tokens: everybody who can reach this address could "
                "call every method; set PENCHANT_TOKENS or PENCHANT_TLS_CLIENT_CA, "
                "or else PENCHANT_INSECURE=true"
            )
        return self

    @property
    def tls(self) -> ServerTls:
        return ServerTls(self.tls_certificate, self.tls_key, self.tls_client_ca)


load_settings = ServingSettings.load
