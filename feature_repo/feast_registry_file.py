"""A Feast registry in a local file, replaced atomically."""

import os
import uuid
from pathlib import Path

from feast.infra.registry.file import FileRegistryStore
from feast.protos.feast.core.Registry_pb2 import Registry
from feast.repo_config import RegistryConfig

from feature_repo.atomic_files import atomic_file


class AtomicFileRegistryStore(FileRegistryStore):  # type: ignore[misc]
    """Replaces the file atomically; Feast's own class writes in place, and a reader may get half of it."""

    def __init__(self, registry_config: RegistryConfig, repo_path: Path) -> None:
        """`registry_config.path` must be absolute."""
        super().__init__(registry_config, repo_path)
        self._path = Path(registry_config.path)

    def update_registry_proto(self, registry_proto: Registry) -> None:
        """Write the registry, with a new version id and time as Feast's own class does."""
        registry_proto.version_id = str(uuid.uuid4())
        registry_proto.last_updated.GetCurrentTime()
        with atomic_file(self._path) as staged, staged.open("wb") as file:
            file.write(registry_proto.SerializeToString())
            file.flush()
            os.fsync(file.fileno())
