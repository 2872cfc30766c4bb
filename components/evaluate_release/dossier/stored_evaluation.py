"""What an evaluation keeps of a version, so that later versions can be compared with it.

facts.json       figures, data, hyperparameters, lineage, serving cost
answers.parquet  the answers of all models to the test queries
items.parquet    the catalog, with the number of interactions of each item
users.parquet    hashes of the ids of all users in the data

Beside them stand dossier.json, what the page of the version says, and details.html, the page's last part.
"""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from components.evaluate_release.dossier.held_out_answers import HeldOutAnswers
from components.evaluate_release.dossier.items_table import ItemsTable
from components.evaluation_files import ANSWERS, FACTS, FOLDER, FORMAT, ITEMS, USERS

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class StoredEvaluation:
    """The evaluation of one version."""

    facts: dict[str, Any]
    answers: HeldOutAnswers
    items: ItemsTable
    users: NDArray[np.uint64]  # ascending, see data.snapshot.Snapshot

    def write(self, directory: Path) -> None:
        """Write the four files into an existing directory."""
        (directory / FACTS).write_text(json.dumps(self.facts, indent=2, ensure_ascii=False))
        pq.write_table(self.answers.to_table(), directory / ANSWERS, compression="zstd")
        pq.write_table(self.items.table, directory / ITEMS, compression="zstd")
        pq.write_table(pa.table({"user": self.users}), directory / USERS, compression="zstd")

    @classmethod
    def read(cls, directory: Path) -> "StoredEvaluation":
        return cls(
            json.loads((directory / FACTS).read_text()),
            HeldOutAnswers.from_table(pq.read_table(directory / ANSWERS)),
            ItemsTable(pq.read_table(directory / ITEMS)),
            pq.read_table(directory / USERS)["user"].to_numpy(),
        )


def fetch(client: "MlflowClient", run_id: str) -> StoredEvaluation | str:
    """Return the evaluation of an MLflow run, or in a sentence why it can't be had.

    A run may be deleted, its artifacts pruned or damaged, or both written before this project kept them.
    """
    from mlflow.exceptions import MlflowException

    try:
        stored = {Path(file.path).name for file in client.list_artifacts(run_id, FOLDER)}
        missing = sorted({FACTS, ANSWERS, ITEMS, USERS} - stored)
        if missing:
            return f"its MLflow run {run_id} has no {', '.join(missing)} below {FOLDER}/"
        with tempfile.TemporaryDirectory() as folder:
            for name in (FACTS, ANSWERS, ITEMS, USERS):
                client.download_artifacts(run_id, f"{FOLDER}/{name}", folder)
            directory = next(Path(folder).rglob(FACTS)).parent
            found = json.loads((directory / FACTS).read_text()).get("format")
            if found != FORMAT:
                return f"its evaluation was stored in format {found}, not {FORMAT}"
            return StoredEvaluation.read(directory)
    except (MlflowException, OSError, ValueError, pa.ArrowException) as error:
        return f"its MLflow run {run_id} can't be read: {str(error).splitlines()[0]}"
