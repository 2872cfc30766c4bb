"""The last step of every run, whether it succeeded or not."""

from kfp.dsl import PipelineTaskFinalStatus

from components.component_decorator import component


@component
def report_run(pipeline: str, job_id: str, report: dict, status: PipelineTaskFinalStatus) -> None:
    """Report how the run ended: to a webhook and to Prometheus; a receiver that is down fails nothing."""
    from components.report_run.reporting import report_end

    report_end(pipeline, job_id, report, status.state, status.error_message or "")
