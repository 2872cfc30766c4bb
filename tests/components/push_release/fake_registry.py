"""A model registry whose MLflow client keeps versions in a file: each change is one write, as a commit is."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mlflow.store.entities import PagedList

from components.register_release.model_registry import Registry
from components.register_release.review_history import Act, Record, ReviewHistory


class FileClient:
    """The methods of MlflowClient that decisions and aliases need."""

    def __init__(self, file: Path, versions: int) -> None:
        self._file = file
        self._write({"tags": {str(number + 1): {} for number in range(versions)}, "aliases": {}})

    def search_model_versions(self, query: str, **_: Any) -> PagedList[SimpleNamespace]:
        tags = self._read()["tags"]
        return PagedList(
            [
                SimpleNamespace(version=number, run_id="", creation_timestamp=0, tags=tags[number])
                for number in tags
            ],
            None,
        )

    def get_registered_model(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(aliases=self._read()["aliases"])

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


class NoHistory(ReviewHistory):
    """A history that keeps nothing."""

    def __init__(self) -> None:
        pass

    def append(self, act: Act, version: int, by: str, reason: str = "", **further: Any) -> Record:  # type: ignore[override]
        return Record(1, "", act, version, by, reason, None, None)


class FileRegistry(Registry):
    """The registry of `versions` versions, all of which have the files of one release."""

    def __init__(self, file: Path, release: Path, versions: int) -> None:
        self.client, self.model_name = FileClient(file, versions), "penchant"
        self._release, self.history = release, NoHistory()

    def download(self, number: int, directory: Path) -> Path:
        return Path(shutil.copytree(self._release, directory / "release"))
