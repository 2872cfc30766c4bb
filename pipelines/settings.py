"""Where things are: addresses, images, schedule. Read once, at the entry point."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every address defaults to an embedded part below `home`; each is one environment variable away.

    A password belongs into the mounted secret of its own client (PGSERVICEFILE, AWS_…), not into an address:
    addresses are pipeline parameters, and those are shown to everyone who may see a run.
    """

    model_config = SettingsConfigDict(env_prefix="PENCHANT_", frozen=True, extra="forbid")

    home: Path = Field(Path(".penchant"), description="holds everything a laptop's run makes")

    warehouse: str = Field("", description="interactions and features: a directory or an fsspec URL")
    interaction_log: str = Field("", description="SQLAlchemy URL of the interaction log")
    registry: str = Field("", description="Feast's registry: a file or a SQL URL")
    online_store: str = Field("", description="Feast's online store: a SQLite file or redis://host:port")
    tracking_uri: str = Field("", description="MLflow's tracking and registry address")
    releases: str = Field("", description="where releases are published: a directory or an fsspec URL")
    model_server: str = Field("", description="host:port of a TensorFlow Serving; embedded when empty")

    policy: Literal["auto", "review"] = Field("auto", description="who decides: the rule, or a reviewer")
    model_name: str = "penchant"
    experiment: str = "penchant"

    kubeflow: str = Field("", description="Kubeflow Pipelines' API address")
    image: str = Field("penchant/python:latest", description="the image that every step runs in")
    training_image: str = Field("", description="the image of the training step, when it is another one")
    accelerator: str = "nvidia.com/gpu"
    accelerator_count: int = Field(0, ge=0, le=8, description="GPUs of a training step")
    training_memory: str = "8Gi"
    training_cpu: str = "4"
    secret: str = Field("", description="a Kubernetes secret, mounted at /etc/penchant in every step")
    volume: str = Field("", description="a PersistentVolumeClaim, mounted at the home in every step")

    def model_post_init(self, context: Any, /) -> None:
        home = self.home.expanduser().absolute()
        embedded = {
            "warehouse": f"{home}/warehouse",
            "interaction_log": f"sqlite:///{home}/interaction_log.db",
            "registry": f"{home}/feast/registry.db",
            "online_store": f"{home}/feast/online_store.db",
            "tracking_uri": f"sqlite:///{home}/mlflow/mlflow.db",
            "releases": f"{home}/releases",
        }
        object.__setattr__(self, "home", home)
        for name, address in embedded.items():
            if not getattr(self, name):
                object.__setattr__(self, name, address)

    @property
    def features(self) -> str:
        """Where build_features puts Feast's offline store."""
        return f"{self.warehouse}/features"

    def prepare_home(self) -> None:
        """Make the folders that embedded databases expect."""
        for folder in ("feast", "mlflow", "releases", "runs"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)


def load_settings(**given: Any) -> Settings:
    """Settings from the environment, overridden by what is given and not None.

    Raises:
        ValueError: a key's value isn't allowed; names the variable, the value and what is expected.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        faults = (
            f"PENCHANT_{'_'.join(map(str, fault['loc'])).upper()}={fault['input']!r}: {fault['msg']}"
            for fault in error.errors()
        )
        raise ValueError("settings: " + "; ".join(faults)) from error
