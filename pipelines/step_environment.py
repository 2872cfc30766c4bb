"""Environment variables of the steps, which libraries read when they are imported."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kfp.dsl.pipeline_task import PipelineTask

# Without assertions Feast is imported in 2 s instead of 5 s: its type checks of arguments are off.
FEAST: Final = {"PYTHONOPTIMIZE": "1"}

# With this TensorFlow does not import Keras, which takes 2 s and which a SavedModel does not need.
SAVED_MODEL: Final = {"TF_USE_LEGACY_KERAS": "1"}

# Training needs Keras 3 on TensorFlow, whatever the user's environment says.
KERAS: Final = {"TF_USE_LEGACY_KERAS": "0", "KERAS_BACKEND": "tensorflow"}

# The GNU C library returns large freed arrays to the system, and gets new ones from it page by page. With
# these sizes in bytes (mallopt(3)) it keeps them: a training step takes 0.6 × the CPU time. Other C
# libraries ignore them.
MEMORY: Final = {
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    "MALLOC_TOP_PAD_": str(64 << 20),
}

# Of the process from which the steps of a local run are forked; training imports Keras itself.
FORKED: Final = {
    **MEMORY,
    **SAVED_MODEL,
    "KERAS_BACKEND": "tensorflow",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}

# Component -> variables; they override those of the process that starts the step.
VARIABLES: Final = {
    "fetch-training-set": FEAST,
    "materialize-features": FEAST | SAVED_MODEL,
    "push-release": FEAST | SAVED_MODEL,
    "evaluate-release": MEMORY | SAVED_MODEL,
    "train-interest-model": KERAS | MEMORY,
}


def set_variables(task: "PipelineTask") -> None:
    """Set the variables of the task's component."""
    for name, value in VARIABLES.get(task.component_spec.name, {}).items():
        task.set_env_variable(name, value)
