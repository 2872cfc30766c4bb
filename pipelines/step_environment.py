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

# Component -> variables; they override those of the process that starts the step.
VARIABLES: Final = {
    "fetch-training-set": FEAST,
    "materialize-features": FEAST | SAVED_MODEL,
    "push-release": FEAST | SAVED_MODEL,
    "evaluate-release": SAVED_MODEL,
    "train-interest-model": KERAS,
}


def set_variables(task: "PipelineTask") -> None:
    """Set the variables of the task's component."""
    for name, value in VARIABLES.get(task.component_spec.name, {}).items():
        task.set_env_variable(name, value)
