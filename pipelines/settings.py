"""What the pipelines need beside the shared addresses: where they run, who decides, what a step is given."""

from typing import ClassVar, Literal

from pydantic import Field

from serving.configuration.addresses import Addresses


class Settings(Addresses):
    """The settings of `penchant`."""

    EMBEDDED: ClassVar[dict[str, str]] = Addresses.EMBEDDED | {
        "warehouse": "{home}/warehouse",
        "tracking_uri": "sqlite:///{home}/mlflow/mlflow.db",
    }

    warehouse: str = Field("", description="interactions and features: a directory or an fsspec URL")
    tracking_uri: str = Field("", description="MLflow's tracking and registry address")
    model_server: str = Field(
        "", description="host:port of a TensorFlow Serving, https://host:port for TLS; embedded when empty"
    )

    policy: Literal["auto", "review"] = Field("auto", description="who decides: the rule, or a reviewer")
    model_name: str = "penchant"
    experiment: str = "penchant"

    kubeflow: str = Field("", description="Kubeflow Pipelines' API address")
    image: str = Field("penchant/training:latest", description="the image that every step runs in")
    training_image: str = Field("", description="the image of the training step, when it is another one")
    accelerator: str = "nvidia.com/gpu"
    accelerator_count: int = Field(0, ge=0, le=8, description="GPUs of a training step")
    training_memory: str = "8Gi"
    training_cpu: str = "4"
    secret: str = Field("", description="a Kubernetes secret, mounted at /etc/penchant in every step")
    volume: str = Field("", description="a PersistentVolumeClaim, mounted at the home in every step")

    @property
    def features(self) -> str:
        """Where build_features puts Feast's offline store."""
        return f"{self.warehouse}/features"

    def prepare_home(self) -> None:
        """Make the folders that embedded databases expect."""
        for folder in ("feast", "mlflow", "releases", "runs"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)


load_settings = Settings.load
