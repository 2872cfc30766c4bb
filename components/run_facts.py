"""What steps leave for the report of their run, such as the number of rows: a JSON file for each step."""

import json
from typing import Any

from feature_repo.atomic_files import atomic_upload
from feature_repo.filesystems import locate


def write_facts(folder: str, job_id: str, step: str, **facts: Any) -> None:
    """Write the facts of a step to `folder`/`job_id`; a repeated step replaces its own.

    Args:
        folder: a directory or an fsspec URL; "" writes nothing.
        job_id: the run's id in Kubeflow, or the one that the local runner gave it.
    """
    if folder:
        filesystem, path = locate(f"{folder}/{job_id}/{step}.json")
        with atomic_upload(filesystem, path) as file:
            file.write(json.dumps(facts).encode())


def read_facts(folder: str, job_id: str) -> dict[str, Any]:
    """Return the facts of all steps of a run; empty if no step wrote any.

    Raises:
        OSError: the folder cannot be read.
    """
    filesystem, path = locate(f"{folder}/{job_id}")
    facts: dict[str, Any] = {}
    for file in sorted(filesystem.glob(f"{path}/*.json")):
        facts |= json.loads(filesystem.cat_file(file))
    return facts
