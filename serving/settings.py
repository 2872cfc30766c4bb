"""Where the recommender listens, what it reads, and how long each part may take."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

Scope = Literal["recommend", "record", "admin"]

Token = Annotated[SecretStr, Field(min_length=16)]

_TOKENS = '{"recommend": ["…"], "record": ["…"]}'


class ServingSettings(BaseSettings):
    """Read once at the entry point; the addresses are those of the pipelines, so both see one world."""

    model_config = SettingsConfigDict(
        env_prefix="PENCHANT_", frozen=True, extra="forbid", hide_input_in_errors=True
    )

    host: str = Field("127.0.0.1", description="the address to listen on; loopback unless opened")
    port: int = Field(50051, ge=0, le=65535, description="0 takes any free port")
    metrics_port: int | None = Field(None, ge=0, le=65535, description="Prometheus metrics; off when absent")

    home: Path = Field(Path(".penchant"), description="holds what the embedded engines keep")
    releases: str = Field("", description="where releases are published: a directory or an fsspec URL")
    cache: str = Field("", description="where a remote release is copied to")
    interaction_log: str = Field("", description="SQLAlchemy URL: sqlite or postgresql")
    features: str = Field("", description="Feast's offline store: a directory or an fsspec URL")
    registry: str = Field("", description="Feast's registry: a file or a SQL URL")
    online_store: str = Field("", description="Feast's online store: a SQLite file or redis://host:port")
    model_server: str = Field("127.0.0.1:8500", description="host:port of a TensorFlow Serving")

    deadline_ms: float = Field(1000, gt=0, description="for a client that sets none")
    history_budget_ms: float = Field(150, gt=0, description="reading the history, before its fallback")
    interest_budget_ms: float = Field(150, gt=0, description="asking the model server, before its fallback")
    ranking_reserve_ms: float = Field(10, ge=0, description="kept back for retrieval and reranking")
    release_poll_ms: float = Field(200, gt=0, description="how often the live version is looked up")

    threads: int = Field(16, ge=1, le=256)
    max_concurrent_requests: int = Field(256, ge=1, description="more are refused at once")
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
    trace_file: Path | None = Field(None, description="OpenTelemetry spans as JSON lines; off when absent")
    trace_share: float = Field(1.0, ge=0, le=1, description="of the requests, beside those a client traces")
    scenarios: Path | None = Field(None, description="policies by name, TOML; the shipped ones when absent")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together: give both or neither")
        if self.tls_client_ca and not self.tls_certificate:
            raise ValueError("tls_client_ca needs tls_certificate and tls_key")
        return self

    def model_post_init(self, context: Any, /) -> None:
        home = self.home.expanduser().absolute()
        embedded = {
            "releases": f"{home}/releases",
            "cache": f"{home}/cache",
            "interaction_log": f"sqlite:///{home}/interaction_log.db",
            "features": f"{home}/warehouse/features",
            "registry": f"{home}/feast/registry.db",
            "online_store": f"{home}/feast/online_store.db",
        }
        object.__setattr__(self, "home", home)
        for name, address in embedded.items():
            if not getattr(self, name):
                object.__setattr__(self, name, address)


def load_settings(**given: Any) -> ServingSettings:
    """Settings from the environment, overridden by what is given and not None.

    Raises:
        ValueError: names each key, its value and what is allowed; a secret is not shown.
    """
    try:
        return ServingSettings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise ValueError("settings: " + "; ".join(_fault(fault) for fault in error.errors())) from error
    except SettingsError as error:
        raise ValueError(f"settings: {error}; expected JSON such as {_TOKENS}") from error


def _fault(fault: Any) -> str:
    if not fault["loc"]:
        return str(fault["msg"])
    key = str(fault["loc"][0])
    value = "(not shown)" if key == "tokens" else repr(fault["input"])
    return f"PENCHANT_{key.upper()}={value}: {fault['msg']}"
