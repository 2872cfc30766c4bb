"""Finds out how a run ended and tells it to all receivers."""

import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from components.progress import report as report_progress
from components.report_run.kubeflow_run import failed_step
from components.report_run.outcome import Outcome
from components.report_run.receivers import Receivers
from components.report_run.webhook import PAUSES_S, post
from components.run_facts import read_facts, write_facts
from components.run_record import RunRecord

# The states of kfp's PipelineTaskFinalStatus; a backend may also say COMPLETE for success.
_STATUS: Final = {
    "SUCCEEDED": "succeeded",
    "COMPLETE": "succeeded",
    "FAILED": "failed",
    "CANCELED": "canceled",
    "CANCELLED": "canceled",
}
# What a step writes if its run has nothing to report, because its schedule was not due.
NOT_DUE: Final = "not_due"


def report_end(pipeline: str, job_id: str, report: dict[str, Any], state: str, error: str) -> None:
    """Tell the receivers how a run ended, and leave as a fact who could not be told.

    Args:
        job_id: the run's id in Kubeflow, or the one that the local runner gave it.
        report: the fields of Receivers.
        state, error: of kfp's PipelineTaskFinalStatus.
    """
    receivers = Receivers.parse(report)
    facts = _facts(receivers, job_id)
    if facts.get(NOT_DUE):
        report_progress("nothing to report: the schedule was not due")
        return
    outcome = Outcome(job_id, pipeline, _STATUS.get(state, state.lower()), error=error)
    outcome = _of_local_run(outcome, receivers) if receivers.record else _of_kubeflow_run(outcome, receivers)
    undelivered = tell(_with_facts(outcome, facts), receivers)
    if undelivered:
        write_facts(receivers.facts, job_id, "report", undelivered=undelivered)


def tell(outcome: Outcome, receivers: Receivers, pauses_s: tuple[float, ...] = PAUSES_S) -> list[str]:
    """Tell all receivers; return a sentence for each one that did not get the message."""
    from components.report_run.run_metrics import RunMetrics

    report_progress(outcome.text().splitlines()[0])
    message_id, metrics = f"{outcome.pipeline}-{outcome.run}", RunMetrics(outcome)
    key_file, message = receivers.webhook_key_file, outcome.message()
    deliveries: list[tuple[str, str, Callable[[], object]]] = [
        (
            "webhook",
            receivers.webhook,
            lambda: post(receivers.webhook, key_file, message_id, message, pauses_s),
        ),
        ("Pushgateway", receivers.pushgateway, lambda: metrics.push(receivers.pushgateway)),
        ("textfile", receivers.textfiles, lambda: metrics.write(Path(receivers.textfiles))),
    ]
    undelivered = []
    for name, address, deliver in deliveries:
        if not address:
            continue
        try:
            deliver()
        except Exception as error:  # a receiver must never make a good run fail, whatever is wrong with it
            traceback.print_exc()
            undelivered.append(f"{name}: {error}")
            report_progress(f"not delivered: {undelivered[-1]}")
    return undelivered


def _facts(receivers: Receivers, job_id: str) -> dict[str, Any]:
    try:
        return read_facts(receivers.facts, job_id) if receivers.facts else {}
    except Exception as error:  # of any file system
        report_progress(f"what the steps left cannot be read: {error}")
        return {}


def _of_local_run(outcome: Outcome, receivers: Receivers) -> Outcome:
    """Add what the record of the run says, which the runner keeps up to date."""
    record = RunRecord.read(Path(receivers.record))
    return replace(outcome_of_record(record, receivers), status=outcome.status)


def outcome_of_record(record: RunRecord, receivers: Receivers) -> Outcome:
    """Return the outcome of a local run that ends now."""
    folder = Path(receivers.record)
    # The runner links the page into the folder when the run has ended.
    page = "report.html" if any(folder.glob("steps/*/*/report.html")) else ""
    link = receivers.link.replace("{run}", record.run) or str(folder / page)
    duration_s = (datetime.now(UTC) - datetime.fromisoformat(record.started_at)).total_seconds()
    outcome = Outcome(
        record.run, record.pipeline, record.status, record.failed_step, record.error, duration_s, report=link
    )
    return _with_facts(outcome, record.facts)


def _of_kubeflow_run(outcome: Outcome, receivers: Receivers) -> Outcome:
    """Add the failed step and the duration, which Kubeflow's API knows."""
    outcome = replace(outcome, report=receivers.link.replace("{run}", outcome.run))
    if not receivers.kubeflow:
        return outcome
    try:
        found = failed_step(receivers.kubeflow, receivers.kubeflow_token_file, outcome.run)
    except Exception as error:  # of urllib3, of the API's client, or of the token's file
        report_progress(f"Kubeflow at {receivers.kubeflow} does not say which step failed: {error}")
        return outcome
    outcome = replace(outcome, duration_s=found.duration_s)
    if outcome.status == "succeeded" or not found.name:  # a step may have failed before a retry
        return outcome
    return replace(outcome, status="failed", failed_step=found.name, error=found.error or outcome.error)


def _with_facts(outcome: Outcome, facts: dict[str, Any]) -> Outcome:
    return replace(
        outcome,
        rows=facts.get("rows", outcome.rows),
        verdict=facts.get("verdict", outcome.verdict),
        version=facts.get("version", outcome.version),
        live=facts.get("live", outcome.live),
    )
