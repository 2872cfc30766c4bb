"""All served models: resolves the model of a request, and applies new configurations."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from tensorflow_serving.apis.get_model_status_pb2 import ModelVersionStatus
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.config.model_server_config_pb2 import ModelConfig

from serving.model_server.errors import (
    failed_precondition,
    invalid,
    not_found,
    permission_denied,
    servable_not_found,
    unknown,
)
from serving.model_server.model import Model
from serving.model_server.servable import Servable
from serving.model_server.versions import VersionPolicy, configured_policy, find_versions

_PLATFORM = "tensorflow"


class ServedModels:
    """The models by name; errors have the messages of TensorFlow Serving's model_servers/server_core.cc."""

    def __init__(self, root: Path) -> None:
        """`root`: a reload can name only directories below it."""
        self._root = root
        self._models: dict[str, Model] = {}
        self._labels: dict[str, dict[str, int]] = {}
        self._served: set[str] = set()
        self._polling = Lock()

    def add(self, name: str, base_path: Path, policy: VersionPolicy) -> None:
        """Serve a model from the next poll on; an existing model keeps its loaded versions."""
        model = self._models.setdefault(name, Model(name, base_path, policy))
        model.base_path, model.policy = base_path, policy
        self._served.add(name)

    def poll(self) -> None:
        """Load and unload versions to match the disk; returns when all are loaded."""
        with self._polling:
            for model in list(self._models.values()):
                model.poll()

    def ready(self) -> bool:
        """Return whether each configured model has an available version."""
        return all(self._models[name].available() for name in list(self._served))

    @contextmanager
    def lease(self, spec: ModelSpec) -> Iterator[Servable]:
        """Yield the servable of `spec`; it stays loaded until the block ends.

        Raises:
            Failure: INVALID_ARGUMENT for a missing name or an unknown label, NOT_FOUND if unavailable.
        """
        version = self._version(spec)
        model = self._models.get(spec.name)
        if model is None:
            raise servable_not_found(spec.name, version)
        with model.lease(version) as servable:
            yield servable

    def statuses(self, spec: ModelSpec) -> list[ModelVersionStatus]:
        """Return the states of the versions of `spec`, including unloaded ones, newest first.

        Raises:
            Failure: NOT_FOUND, there was never such a version.
        """
        model = self._models.get(spec.name)
        statuses = model.statuses() if model else []
        if spec.HasField("version"):
            version = spec.version.value
            statuses = [status for status in statuses if status.version == version]
            if not statuses:
                raise not_found(f"Could not find version {version} of model {spec.name}")
        if not statuses:
            raise not_found(f"Could not find any versions of model {spec.name}")
        return statuses

    def reload(self, configs: Sequence[ModelConfig]) -> None:
        """Serve the models in `configs` and no others; returns when new models are loaded.

        Raises:
            Failure: the configuration is invalid, and nothing has changed; or UNKNOWN, no version of a new
                model could be loaded.
        """
        self._check(configs)
        labels = {config.name: dict(config.version_labels) for config in configs}
        for config in configs:
            self._check_labels(config)
        new = {config.name for config in configs} - self._served
        with self._polling:
            self._labels = labels
            self._replace(configs)
        self.poll()
        self._check_available(new)

    def _version(self, spec: ModelSpec) -> int | None:
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        choice = spec.WhichOneof("version_choice")
        if choice == "version_label":
            version = self._labels.get(spec.name, {}).get(spec.version_label)
            if version is None:
                raise invalid(f"Unrecognized servable version label: {spec.version_label}")
            return version
        return int(spec.version.value) if choice == "version" else None

    def _replace(self, configs: Sequence[ModelConfig]) -> None:
        for config in configs:
            self.add(config.name, Path(config.base_path), configured_policy(config))
        removed = self._served - {config.name for config in configs}
        for name in removed:
            self._models[name].retire()
        self._served -= removed

    def _check(self, configs: Sequence[ModelConfig]) -> None:
        names = [config.name for config in configs]
        for config in configs:
            if names.count(config.name) > 1:
                raise invalid(f"Illegal to list model {config.name} multiple times in config list")
            if not config.model_platform and not config.model_type:
                raise invalid(
                    "Illegal setting neither ModelServerConfig::model_type (deprecated) "
                    "nor ModelServerConfig::model_platform."
                )
            if config.model_platform not in ("", _PLATFORM):
                raise invalid(f"Model {config.name} requests unsupported platform {config.model_platform}")
            self._check_root(config)
            _check_base_path(config)

    def _check_root(self, config: ModelConfig) -> None:
        if not Path(config.base_path).resolve().is_relative_to(self._root.resolve()):
            raise permission_denied(
                f"model {config.name}: expected a base path below {self._root}, got {config.base_path}"
            )

    def _check_labels(self, config: ModelConfig) -> None:
        model = self._models.get(config.name)
        available = model.available() if model else []
        for version in config.version_labels.values():
            if version not in available:
                raise failed_precondition(
                    f"Request to assign label to version {version} of model {config.name}, "
                    "which is not currently available for inference"
                )

    def _check_available(self, names: set[str]) -> None:
        missing = sorted(name for name in names if not self._models[name].available())
        if missing:
            listed = "".join(
                f"{{name: {name} version: {status.version}}}, "
                for name in missing
                for status in self._models[name].statuses()
            )
            raise unknown(f"Some models did not become available: {{{listed}}}")


def _check_base_path(config: ModelConfig) -> None:
    """Reject a base path without versions, where TensorFlow Serving would wait without end."""
    try:
        versions = find_versions(Path(config.base_path))
    except OSError as error:
        raise invalid(
            f"Could not find base path {config.base_path} for servable {config.name} with error {error}"
        ) from error
    if not versions:
        raise not_found(
            f"Unable to find a numerical version path for servable {config.name} at: {config.base_path}"
        )
