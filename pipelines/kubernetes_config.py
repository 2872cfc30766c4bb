"""Where each step runs on a cluster: image, processors, memory, accelerator, secrets."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from kfp import dsl, kubernetes
from kfp.dsl.pipeline_context import Pipeline
from kfp.dsl.pipeline_task import PipelineTask

from pipelines.settings import Settings

# The component that asks for processors, memory and an accelerator of its own.
TRAINING = "train-interest-model"

# Time for another node to take over, without hammering a store that is down.
RETRIES = 2
BACKOFF = "30s"


def build(steps: Callable[..., None], settings: Settings | None = None) -> Any:
    """The kfp pipeline of `steps`; placed on a cluster when settings are given, else as a laptop runs it."""

    @dsl.pipeline(name=f"penchant-{steps.__name__}")
    @wraps(steps)
    def placed(*args: Any, **kwargs: Any) -> None:
        steps(*args, **kwargs)
        if settings:
            for task in Pipeline.get_default_pipeline().tasks.values():
                _place(task, settings)

    return placed


def _place(task: PipelineTask, settings: Settings) -> None:
    task.set_container_image(settings.image)
    task.set_retry(RETRIES, backoff_duration=BACKOFF, backoff_factor=2.0)
    if settings.secret:
        kubernetes.use_secret_as_volume(task, secret_name=settings.secret, mount_path="/etc/penchant")
    if settings.volume:
        kubernetes.mount_pvc(task, pvc_name=settings.volume, mount_path=str(settings.home))
    if task.component_spec.name == TRAINING:
        task.set_container_image(settings.training_image or settings.image)
        task.set_cpu_limit(settings.training_cpu).set_memory_limit(settings.training_memory)
        if settings.accelerator_count:
            task.set_accelerator_type(settings.accelerator).set_accelerator_limit(settings.accelerator_count)
