"""Chooses where the workers of a training run: in pods beside that of the step, or on this machine."""

from pathlib import Path
from typing import Final

from components.train_interest_model.workers.chief_task import ChiefTask
from components.train_interest_model.workers.job_manifest import StepPod
from components.train_interest_model.workers.kubernetes_workers import KubernetesWorkers
from components.train_interest_model.workers.local_workers import LocalWorkers
from components.train_interest_model.workers.supervision import delete_folder, supervise
from feature_repo.filesystems import locate

FOLDER: Final = "training"  # of the warehouse, with a folder for each training on pods


def train_on_workers(task: ChiefTask, count: int, warehouse: str, scratch: Path) -> dict[str, float]:
    """Train with `count` workers, of which the chief is a process of this machine; return the figures.

    Args:
        warehouse: a directory or fsspec URL, where pods share what the workers need.
        scratch: a temporary folder, where processes of this machine do.

    Raises:
        StepError: the training failed, or workers ended again and again.
    """
    pod = StepPod.of_environment()
    if pod is None:
        return supervise(task, LocalWorkers(count), str(scratch / "shared"), f"{task.output}/checkpoint")
    # A repeated step has another pod. It resumes from the checkpoint of the first one, whose other workers,
    # if they still wait, must not find what it shares.
    folder = f"{_shared(warehouse)}/{pod.run_id}-{task.split}"
    workers = KubernetesWorkers(count, pod)
    figures = supervise(task, workers, f"{folder}/{pod.uid}", f"{folder}/checkpoint")
    delete_folder(folder)
    return figures


def delete_left(warehouse: str) -> int:
    """Delete what failed and killed trainings left in the warehouse, while none runs; return their number."""
    filesystem, path = locate(_shared(warehouse))
    filesystem.invalidate_cache()
    if not filesystem.exists(path):
        return 0
    trainings = filesystem.ls(path, detail=False)
    filesystem.rm(path, recursive=True)
    return len(trainings)


def _shared(warehouse: str) -> str:
    return f"{warehouse.rstrip('/')}/{FOLDER}"
