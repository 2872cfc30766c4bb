"""One registered model in MLflow: its aliases and its tags. MLflow keeps no history of either."""

import os
import time
from collections.abc import Callable
from functools import cached_property, wraps
from typing import Any, Final, TypeVar

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

from mlflow import MlflowClient
from mlflow.entities.model_registry import RegisteredModel as Entry
from mlflow.exceptions import MlflowException

from components.mlflow_client import connect, mlflow_errors
from components.register_release.registered_version import CANDIDATE, LIVE, PREVIOUS

# Tags of the registered model: the id of the last switch that the aliases follow, and the version that this
# module made the candidate. Another alias than they say was set elsewhere.
SWITCH: Final = "penchant.switch"
KNOWN_CANDIDATE: Final = "penchant.candidate"

# Characters of a tag's value that MLflow stores.
MAX_TAG: Final = 5_000

_Method = TypeVar("_Method", bound=Callable[..., Any])


def reaches_mlflow(method: _Method) -> _Method:
    """Raise a StepError instead of MLflow's own, with the address and what to do."""

    @wraps(method)
    def call(self: "RegisteredModel", *arguments: Any, **options: Any) -> Any:
        with mlflow_errors(self.tracking_uri):
            return method(self, *arguments, **options)

    return call  # type: ignore[return-value]


class RegisteredModel:
    """Reads and changes aliases and tags; each method may raise StepError."""

    def __init__(self, tracking_uri: str, model_name: str) -> None:
        self.tracking_uri, self.model_name = tracking_uri, model_name

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's client; with a database it connects at once."""
        return connect(self.tracking_uri)

    @reaches_mlflow
    def tag(self, number: int, key: str, value: str) -> None:
        """Set a tag of a version."""
        self.client.set_model_version_tag(self.model_name, str(number), key, value[:MAX_TAG])

    @reaches_mlflow
    def set_alias(self, alias: str, number: int | None) -> None:
        """Let an alias refer to a version, or delete it."""
        if number is not None:
            self.client.set_registered_model_alias(self.model_name, alias, str(number))
        elif alias in self.aliases_and_tags()[0]:
            self.client.delete_registered_model_alias(self.model_name, alias)

    @reaches_mlflow
    def point_candidate(self, number: int | None) -> None:
        """Let `candidate` refer to a version, or to none."""
        self.set_alias(CANDIDATE, number)
        self.client.set_registered_model_tag(self.model_name, KNOWN_CANDIDATE, str(number or ""))

    @reaches_mlflow
    def point_live(self, live: int, previous: int | None, switch: str) -> None:
        """Let `live` and `previous` follow a switch; its id comes last, so that a killed call is repeated.

        Args:
            previous: None where a rollback has no target.
        """
        self.set_alias(LIVE, live)
        self.tag(live, "went_live_at", now())
        self.set_alias(PREVIOUS, previous)
        self.client.set_registered_model_tag(self.model_name, SWITCH, switch)

    @reaches_mlflow
    def aliases_and_tags(self) -> tuple[dict[str, int], dict[str, str]]:
        """Return alias -> version, and the tags of the registered model."""
        model = self._model()
        if model is None:
            return {}, {}
        return {alias: int(number) for alias, number in model.aliases.items()}, dict(model.tags)

    def known_switch(self) -> str:
        """Return the id of the last switch that the aliases follow, "" for none."""
        return self.aliases_and_tags()[1].get(SWITCH, "")

    def _model(self) -> Entry | None:
        try:
            return self.client.get_registered_model(self.model_name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None


def now() -> str:
    """Return the time in UTC, as the tags have it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
