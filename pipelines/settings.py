"""The settings of the command `penchant` and of the pipelines."""

import os
from pathlib import Path
from typing import Any, ClassVar, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from components.compute.address import DUCKDB, check_address, check_properties
from components.train_collaborative_filters.ease_cost import EASE_MAX_ITEMS
from pipelines.moved_home import relocate_artifacts
from serving.configuration.addresses import Addresses
from serving.configuration.settings import ServingSettings

_HTTP: Final = ("http", "https")


class Settings(Addresses):
    """Addresses, model names and Kubernetes options; the environment sets each as PENCHANT_NAME.

    No field is a secret: pipeline parameters are visible to everybody who may see a run. Passwords belong in
    the Kubernetes secret that `secret_name` names.
    """

    EMBEDDED: ClassVar[dict[str, str]] = Addresses.EMBEDDED | {
        "warehouse": "{home}/warehouse",
        # For sqlite:/// MLflow would also make the folders of the quoted path.
        "tracking_uri": "sqlite+pysqlite:///{quoted_home}/mlflow/mlflow.db",
    }

    warehouse: str = Field("", description="directory or fsspec URL of interactions and features")
    tracking_uri: str = Field("", description="address of MLflow, for tracking and the model registry")
    review_history: str = Field(
        "",
        description="SQLAlchemy URL of the history of reviews; empty: that of MLflow if TRACKING_URI is a "
        "database, else that of the interaction log",
    )
    model_server: str = Field(
        "", description="host:port of TensorFlow Serving, https://host:port for TLS; empty: the embedded one"
    )

    compute: str = Field(
        DUCKDB,
        description="where features and training set are computed: duckdb; local[N], Spark in the step's "
        "process; spark://host:port, a Spark master; or sc://host:port, Spark Connect",
    )
    spark_properties: dict[str, str] = Field(
        default_factory=dict, description="JSON: properties of Spark, such as spark.executor.memory"
    )
    ease_max_items: int = Field(
        EASE_MAX_ITEMS,
        ge=0,
        description="a catalog of more items gets no EASE filter: its memory grows with the square of the "
        "items, its time with their cube",
    )

    policy: Literal["auto", "auto-unless-worse", "review"] = Field(
        "auto",
        description="auto: a release goes live that is shown to be better than the live one; "
        "auto-unless-worse: one that is not shown to be worse, too; review: a person approves it",
    )
    scenarios: Path | None = Field(
        None, description="TOML file of the recommender's scenarios; the shipped ones when absent"
    )
    off_policy_days: float = Field(
        7, ge=0, description="the release gate uses the explored answers of so many days; 0: none"
    )
    off_policy_answers: int = Field(
        2_000, ge=100, description="the release gate uses at most so many explored answers, the newest"
    )
    off_policy_min_effective: float = Field(
        100, ge=30, description="answers of the candidate's own that the explored ones must be worth"
    )
    off_policy_min_support: float = Field(
        0.95, gt=0, le=1, description="share of the candidate's answers that exploration could have shown"
    )
    calibration_clicks: int = Field(
        500, ge=50, description="with fewer clicks, click probabilities are calibrated on held-out choices"
    )
    provider_column: str = Field(
        "", description="column of the items that names their provider, such as a seller; empty: none"
    )
    max_group_gap: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="a release does not go live by itself if one group of users is served worse than another "
        "by more than this share of NDCG@10 or HR@10; none: any gap is allowed",
    )
    min_provider_exposure: float | None = Field(
        None,
        gt=0,
        le=1,
        description="a release does not go live by itself if a provider has less exposure than this share of "
        "its relevance; none: any exposure is allowed",
    )
    balanced_exposure_gap: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="scenarios with balance_exposure may leave this share of the exposure with other "
        "providers than relevance has; each evaluation fits offsets for it. None: no offsets",
    )
    privacy_budget: float = Field(
        8.0, gt=0, lt=100, description="epsilon of all private data sets of a warehouse together"
    )
    privacy_delta: float = Field(1e-5, gt=0, lt=1e-3, description="delta that belongs to it")
    model_name: str = Field("penchant", description="name of the registered model in MLflow")
    experiment: str = Field("penchant", description="name of the experiment in MLflow and Kubeflow")

    prune_after_days: float = Field(
        30, ge=0, description="age from which `penchant review prune` deletes artifacts of rejected versions"
    )

    kubeflow: str = Field("", description="address of the Kubeflow Pipelines API")
    kubeflow_namespace: str = Field("", description="namespace of the runs, on a Kubeflow with several users")
    kubeflow_token_file: Path | None = Field(
        None, description="file with a bearer token for Kubeflow; it is read again for each call"
    )
    kubeflow_ca: Path | None = Field(None, description="PEM file of the authority of Kubeflow's certificate")
    kubeflow_timezone: str = Field(
        "UTC", description="time zone of Kubeflow's schedules: its setting CRON_SCHEDULE_TIMEZONE"
    )
    service_account: str = Field("", description="Kubernetes service account of the runs")
    image: str = Field("penchant/training:latest", description="container image of the pipeline steps")
    training_image: str = Field("", description="container image of the training steps, if another one")
    accelerator: str = Field("nvidia.com/gpu", description="Kubernetes resource name of the accelerator")
    accelerator_count: int = Field(0, ge=0, le=8, description="accelerators of a training step")
    training_cpu: str = Field("4", description="CPU limit of a training step")
    training_memory: str = Field("8Gi", description="memory limit of a training step")
    training_workers: int = Field(
        1, ge=1, le=64, description="workers of a training step, on Kubeflow each a pod with these resources"
    )
    insecure_workers: bool = Field(
        False,
        description="without Kubeflow, allow several workers of a training on this machine: TensorFlow lets "
        "everybody who can reach it call them",
    )
    secret_name: str = Field(
        "", description="name of a Kubernetes secret, mounted at /etc/penchant in each step"
    )
    volume_claim: str = Field(
        "", description="name of a PersistentVolumeClaim, mounted at the home in each step"
    )

    step_timeout_s: int = Field(
        14_400, ge=0, description="longest time of a step, but of the training steps; 0: no limit"
    )
    training_timeout_s: int = Field(
        86_400, ge=0, description="longest time of each of the two training steps; 0: no limit"
    )

    webhook_url: str = Field(
        "", description="where the end of each run is posted: a URL, or an absolute path of a file with a URL"
    )
    webhook_key_file: Path | None = Field(None, description="file with the key that signs the webhook")
    pushgateway: str = Field(
        "", description="host:port or URL of the Prometheus Pushgateway that gets the metrics of each run"
    )
    metrics_textfiles: Path | None = Field(
        None, description="folder of node_exporter's textfile collector, for the metrics of local runs"
    )
    run_link: str = Field(
        "", description="URL of a run's page, with {run} for its name or its id in Kubeflow"
    )

    @field_validator("compute")
    @classmethod
    def _check_compute(cls, value: str) -> str:
        return check_address(value)

    @field_validator("spark_properties")
    @classmethod
    def _check_spark_properties(cls, value: dict[str, str]) -> dict[str, str]:
        return check_properties(value)

    @field_validator("webhook_url")
    @classmethod
    def _check_webhook(cls, value: str) -> str:
        if value and not value.startswith("/") and not _is_url(value):
            raise ValueError(
                "expected an http(s) URL without a user name, or the absolute path of a file with one"
            )
        return value

    @field_validator("pushgateway")
    @classmethod
    def _check_pushgateway(cls, value: str) -> str:
        if value and not _is_url(value if "://" in value else f"http://{value}"):
            raise ValueError("expected host:port, or an http(s) URL without a user name")
        return value

    @field_validator("run_link")
    @classmethod
    def _check_run_link(cls, value: str) -> str:
        if value and not (_is_url(value) and "{run}" in value):
            raise ValueError("expected an http(s) URL with {run} in it")
        return value

    @model_validator(mode="after")
    def _check_providers(self) -> Self:
        of_providers = ("min_provider_exposure", "balanced_exposure_gap")
        alone = [f"PENCHANT_{name.upper()}" for name in of_providers if getattr(self, name) is not None]
        if alone and not self.provider_column:
            raise ValueError(
                f"{' and '.join(alone)} without PENCHANT_PROVIDER_COLUMN would do nothing: "
                "set it to the column of the items that names their provider"
            )
        return self

    def model_post_init(self, context: Any, /) -> None:
        super().model_post_init(context)
        if not self.review_history:
            is_database = self.tracking_uri.startswith(("sqlite", "postgresql"))
            database = self.tracking_uri if is_database else self.interaction_log
            object.__setattr__(self, "review_history", database)

    @classmethod
    def known_settings(cls) -> frozenset[str]:
        """Those of the recommender too: pipelines and recommender often share an environment."""
        return super().known_settings() | ServingSettings.known_settings()

    @property
    def features(self) -> str:
        """The directory of Feast's offline store."""
        return f"{self.warehouse}/features"

    @property
    def run_facts(self) -> str:
        """Where the steps of a run on Kubeflow leave their facts."""
        return f"{self.warehouse}/runs"

    def prepare_home(self) -> None:
        """Create the folders of the embedded databases; let those of a moved home name its new place.

        What the process writes from then on is for its user alone. An encrypted home is unlocked again
        if it was locked since the settings were loaded.

        Raises:
            ValueError: the home can't be unlocked.
        """
        self.open_home()
        os.umask(0o077)
        for folder in ("feast", "mlflow", "releases", "runs"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        relocate_artifacts(self.home / "mlflow" / "mlflow.db")


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in _HTTP and bool(parts.hostname) and not parts.username and parts.port != 0
    except ValueError:  # a port that is no number
        return False


load_settings = Settings.load
