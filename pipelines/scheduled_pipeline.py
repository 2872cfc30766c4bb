"""A training that checks first whether its schedule is due, for a schedule that Kubeflow cannot express."""

import inspect
from functools import update_wrapper
from typing import Any, Final

from kfp import dsl

from components.check_schedule.component import check_schedule
from pipelines.compilation import PipelineFunction

# A run with this tolerance is always due.
ALWAYS_MINUTES: Final = 527_040  # 366 days


def only_when_due(pipeline: PipelineFunction) -> PipelineFunction:
    """Return the pipeline behind a first step, with the further parameters of that step.

    1. Check the schedule.
    2. Run the steps of `pipeline` if a run is due.
    """

    signature = inspect.signature(pipeline)

    def scheduled(cron: str, timezone: str, tolerance_minutes: int, *values: Any, **parameters: Any) -> None:
        # The answer depends on the time, so this step must not be cached.
        checked = check_schedule(
            cron=cron,
            timezone=timezone,
            tolerance_minutes=tolerance_minutes,
            run_facts=signature.bind(*values, **parameters).arguments.get("run_facts", ""),
            job_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
        ).set_display_name("Check schedule")
        checked.set_caching_options(False)
        with dsl.If(checked.output == "due", name="due"):
            pipeline(*values, **parameters)

    further = list(inspect.signature(scheduled).parameters.values())[:3]
    update_wrapper(scheduled, pipeline)
    scheduled.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*further, *signature.parameters.values()]
    )
    return scheduled
