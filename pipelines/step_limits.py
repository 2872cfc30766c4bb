"""The time limits of steps, on this machine and on Kubernetes."""

from typing import Final

from pipelines.settings import Settings

# The component that gets CPUs, memory and an accelerator, and a time limit of its own.
TRAINING_COMPONENT: Final = "train-interest-model"

# The last step; a short limit of the others must not keep it from reporting that they ran out of time.
REPORT_COMPONENT: Final = "report-run"
REPORT_TIMEOUT_S: Final = 300


def timeout_s(component: str, settings: Settings) -> int:
    """Return the time limit of a component, in seconds; 0 is no limit."""
    if component == REPORT_COMPONENT:
        return REPORT_TIMEOUT_S
    return int(getattr(settings, limit_setting(component)))


def limit_setting(component: str) -> str:
    """Return the name of the setting of a component's time limit."""
    return "training_timeout_s" if component == TRAINING_COMPONENT else "step_timeout_s"
