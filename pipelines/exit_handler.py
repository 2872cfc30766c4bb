"""Ends a pipeline with a step that reports how the run ended, also when another step failed."""

import inspect
from collections.abc import Callable
from functools import update_wrapper
from typing import Any, Final

from kfp import dsl

from components.report_run.component import report_run
from components.run_record import REPORT_STEP

# The parameter of that step, which it adds to the pipeline.
PARAMETER: Final = "report"


def with_exit_handler(pipeline: Callable[..., None]) -> Callable[..., None]:
    """Return the pipeline in an exit handler, with the further parameter `report`: whom to tell.

    The exit handler must be the outermost group of a pipeline, says kfp's compiler. It cannot read outputs of
    the steps; those with something to tell write it to `run_facts`.
    """
    signature = inspect.signature(pipeline)
    report = inspect.Parameter(
        PARAMETER, inspect.Parameter.POSITIONAL_OR_KEYWORD, default={}, annotation=dict
    )

    def reported(*values: Any, **parameters: Any) -> None:
        given = reported_signature.bind(*values, **parameters).arguments
        ended = report_run(
            pipeline=pipeline.__name__, job_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER, report=given.pop(PARAMETER)
        ).set_display_name(REPORT_STEP)
        ended.set_caching_options(False)
        with dsl.ExitHandler(ended, name="reported"):
            pipeline(**given)

    update_wrapper(reported, pipeline)
    reported_signature = signature.replace(parameters=[*signature.parameters.values(), report])
    reported.__signature__ = reported_signature  # type: ignore[attr-defined]
    return reported
