"""Where a version comes from: its data, code, image and runs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.code_version import current_commit

if TYPE_CHECKING:
    from mlflow.entities import Run


@dataclass(frozen=True)
class Lineage:
    """Each field is "" if it is unknown."""

    data: str  # digest of the training set
    code: str  # commit
    image: str  # container image of the steps
    pipeline_run: str
    tracking_run: str  # of MLflow


def lineage(run: "Run", pipeline_run: str, image: str) -> Lineage:
    """Return the lineage of the MLflow run of a training."""
    inputs = run.inputs.dataset_inputs if run.inputs else []
    digests = [entry.dataset.digest for entry in inputs]
    return Lineage(
        digests[0] if digests else "", current_commit() or "", image, pipeline_run, run.info.run_id
    )
