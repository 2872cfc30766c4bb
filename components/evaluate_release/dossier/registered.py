"""The dossier of a registered version."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.evaluate_release.dossier.page import render
from components.evaluation_files import DETAILS, DOSSIER, FOLDER, FORMAT

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class Dossier:
    """What a dossier says, JSON-ready, and the fragment of HTML with the details of the evaluation."""

    version: int
    page: dict[str, Any]
    details: str = ""

    def render(self, decisions: Sequence[Mapping[str, Any]]) -> str:
        """Return the page; `decisions`: records of the review history, newest first."""
        return render(self.page, self.details, self.version, decisions)


def read_dossier(version: int, directory: Path) -> Dossier | None:
    """Read the dossier of a version from its evaluation's files; None if they have none of this format."""
    if not (directory / DOSSIER).exists():
        return None
    page = json.loads((directory / DOSSIER).read_text())
    if page["facts"].get("format") != FORMAT:
        return None
    return Dossier(version, page, (directory / DETAILS).read_text())


def fetch_dossier(client: "MlflowClient", version: int, run_id: str) -> Dossier | None:
    """Download the dossier of a version; None if it has none of this format."""
    stored = {Path(file.path).name for file in client.list_artifacts(run_id, FOLDER)}
    if not {DOSSIER, DETAILS} <= stored:
        return None
    with tempfile.TemporaryDirectory() as folder:
        for name in (DOSSIER, DETAILS):
            client.download_artifacts(run_id, f"{FOLDER}/{name}", folder)
        return read_dossier(version, next(Path(folder).rglob(DOSSIER)).parent)
