"""A Feast registry in one file that is replaced whole."""

from pathlib import Path
from typing import Any

from feature_repo.feast_sdk import feast  # noqa: F401  (before any other module of Feast's)

from feast.infra.registry.file import FileRegistryStore  # isort: skip


class WholeFileRegistryStore(FileRegistryStore):  # type: ignore[misc]
    """Feast's own writes in place: a kill, or a reader, in between would meet half a registry."""

    _filepath: Path

    def _write_registry(self, registry_proto: Any) -> None:
        target = Path(self._filepath)
        self._filepath = target.with_name(f"{target.name}.part")
        try:
            super()._write_registry(registry_proto)
            self._filepath.replace(target)
        finally:
            self._filepath = target
