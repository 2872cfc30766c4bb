"""Sets the image, retries, time limit, resources, secret and volume of each pipeline task on Kubernetes."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from kfp import dsl, kubernetes
from kfp.dsl.pipeline_context import Pipeline
from kfp.dsl.pipeline_task import PipelineTask

from components.train_interest_model.workers.job_manifest import FIELDS, LABEL
from pipelines.exit_handler import with_exit_handler
from pipelines.settings import Settings
from pipelines.step_environment import set_variables
from pipelines.step_limits import TRAINING_COMPONENT, timeout_s

# Where the keys of the secret are files in each step.
SECRET_FOLDER: Final = "/etc/penchant"

# Time for another node to take over, without overloading a store that is down.
RETRIES: Final = 2
BACKOFF: Final = "30s"


def build_pipeline(
    function: Callable[..., None], settings: Settings | None = None, is_reported: bool = True
) -> Any:
    """Return the kfp pipeline of `function`, with the environment variables of its steps.

    With settings, its tasks are also configured for Kubernetes. A reported pipeline ends in an exit handler,
    and has the further parameter `report`.
    """
    if is_reported:
        function = with_exit_handler(function)

    @dsl.pipeline(name=f"penchant-{function.__name__}")
    @wraps(function)
    def pipeline(*args: Any, **kwargs: Any) -> None:
        function(*args, **kwargs)
        for task in Pipeline.get_default_pipeline().tasks.values():
            set_variables(task)
            if settings:
                _configure(task, settings)

    return pipeline


def _configure(task: PipelineTask, settings: Settings) -> None:
    task.set_container_image(settings.image)
    task.set_retry(RETRIES, backoff_duration=BACKOFF, backoff_factor=2.0)
    if seconds := timeout_s(task.component_spec.name, settings):
        kubernetes.set_timeout(task, seconds)
    if settings.secret_name:
        kubernetes.use_secret_as_volume(task, secret_name=settings.secret_name, mount_path=SECRET_FOLDER)
    if settings.volume_claim:
        kubernetes.mount_pvc(task, pvc_name=settings.volume_claim, mount_path=str(settings.home))
    if task.component_spec.name == TRAINING_COMPONENT:
        task.set_container_image(settings.training_image or settings.image)
        kubernetes.add_pod_label(task, *LABEL)
        for variable, field in FIELDS.items():
            kubernetes.use_field_path_as_env(task, variable, field)
        task.set_cpu_limit(settings.training_cpu).set_memory_limit(settings.training_memory)
        if settings.accelerator_count:
            task.set_accelerator_type(settings.accelerator).set_accelerator_limit(settings.accelerator_count)
