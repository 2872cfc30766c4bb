"""A fake of MLflow's client: the artifacts of each run are a folder."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException


class FakeTracking:
    """Lists and downloads artifacts; a run without a folder was deleted."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def folder(self, run_id: str) -> Path:
        """Create the folder of a run's evaluation."""
        folder = self._root / run_id / "evaluation"
        folder.mkdir(parents=True)
        return folder

    def list_artifacts(self, run_id: str, folder: str) -> list[SimpleNamespace]:
        if not (self._root / run_id).exists():
            raise MlflowException(f"Run with id={run_id} not found")
        files = (self._root / run_id / folder).glob("*")
        return [SimpleNamespace(path=f"{folder}/{file.name}") for file in files]

    def download_artifacts(self, run_id: str, path: str, target: str) -> str:
        source = self._root / run_id / path
        if source.is_dir():
            return str(shutil.copytree(source, Path(target, path)))
        return str(shutil.copy(source, target))


def fake_client(root: Path) -> tuple[FakeTracking, MlflowClient]:
    tracking = FakeTracking(root)
    return tracking, cast(MlflowClient, tracking)
