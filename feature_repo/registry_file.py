"""A Feast registry in one file that is replaced whole."""

from pathlib import Path
from typing import Any

from feature_repo.atomic_files import atomic_file
from feature_repo.feast_sdk import feast  # noqa: F401  (before any other module of Feast's)

from feast.infra.registry.file import FileRegistryStore  # isort: skip


class WholeFileRegistryStore(FileRegistryStore):  # type: ignore[misc]
    """Replaces the file atomically; Feast's own class writes in place, and a reader may get half of it."""

    _filepath: Path

    def _write_registry(self, registry_proto: Any) -> None:
        target = Path(self._filepath)
        try:
            with atomic_file(target) as staged:
                self._filepath = staged
                super()._write_registry(registry_proto)
        finally:
            self._filepath = target
