"""A model registry whose MLflow client keeps versions in a file: each change is one write, as a commit is."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mlflow.store.entities import PagedList

from components.register_release.model_registry import Registry


class FileClient:
    """The methods of MlflowClient that decisions and aliases need."""

    def __init__(self, file: Path, versions: int) -> None:
        self._file = file
        tags: dict[str, dict[str, str]] = {str(number + 1): {} for number in range(versions)}
        self._write({"tags": tags, "aliases": {}, "model": {}})

    def search_model_versions(self, query: str, **_: Any) -> PagedList[SimpleNamespace]:
        return PagedList([self.get_model_version("", number) for number in self._read()["tags"]], None)

    def get_model_version(self, name: str, version: str) -> SimpleNamespace:
        tags = self._read()["tags"][version]
        return SimpleNamespace(version=version, run_id="", creation_timestamp=0, tags=tags)

    def get_registered_model(self, name: str) -> SimpleNamespace:
        content = self._read()
        return SimpleNamespace(aliases=content["aliases"], tags=content["model"])

    def set_registered_model_tag(self, name: str, key: str, value: str) -> None:
        content = self._read()
        content["model"][key] = value
        self._write(content)

    def set_model_version_tag(self, name: str, version: str, key: str, value: str) -> None:
        content = self._read()
        content["tags"][version][key] = value
        self._write(content)

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        content = self._read()
        content["aliases"][alias] = version
        self._write(content)

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        content = self._read()
        del content["aliases"][alias]
        self._write(content)

    def _read(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self._file.read_text())
        return content

    def _write(self, content: dict[str, Any]) -> None:
        self._file.write_text(json.dumps(content))


class FileRegistry(Registry):
    """The registry of `versions` versions, all of which have the files of one release."""

    def __init__(self, file: Path, release: Path, versions: int) -> None:
        super().__init__("", "penchant", f"sqlite:///{file.parent}/history.db")
        self.client, self._release = FileClient(file, versions), release

    def download(self, number: int, directory: Path) -> Path:
        return Path(shutil.copytree(self._release, directory / "release"))
