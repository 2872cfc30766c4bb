"""Chooses where the workers of a training run: in pods beside that of the step, or on this machine."""

from pathlib import Path

from components.train_interest_model.workers.chief_task import ChiefTask
from components.train_interest_model.workers.job_manifest import StepPod
from components.train_interest_model.workers.kubernetes_workers import KubernetesWorkers
from components.train_interest_model.workers.local_workers import LocalWorkers
from components.train_interest_model.workers.supervision import supervise


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
    # A repeated step has another pod, which finds the checkpoint of the first one here.
    folder = f"{warehouse.rstrip('/')}/training/{pod.run_id}-{task.split}"
    return supervise(task, KubernetesWorkers(count, pod), f"{folder}/shared", f"{folder}/checkpoint")
