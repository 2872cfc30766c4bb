"""Validates interactions: valid rows go on, failed rows are quarantined, too many failures stop the run."""

from pathlib import Path

from components.errors import StepError
from components.metrics.providers import check_column
from components.progress import report
from components.validate_interactions import data_docs as docs
from components.validate_interactions.arrivals import Arrivals
from components.validate_interactions.expectation_results import ExpectationResult, format_failures
from components.validate_interactions.expectations import ROWS, snapshot_suite
from components.validate_interactions.frame_validation import FrameValidation
from components.validate_interactions.judged_rows import JudgedRows, judge
from components.validate_interactions.rows import split_rows
from components.validate_interactions.snapshot_metrics import (
    last_judged_part,
    measure_snapshot,
    save_last_run,
)
from components.validate_interactions.verdict import Counts, Verdict, judge_rows, judge_snapshot
from feature_repo.counts import counted
from feature_repo.feedback import FeedbackPolicy


def validate(
    interactions: Path,
    items: Path,
    users: Path,
    feedback: FeedbackPolicy,
    as_of: int,
    warehouse: str,
    max_failed_share: float,
    *,
    valid_interactions: Path,
    quarantine: Path,
    data_docs: Path,
    provider_column: str = "",
) -> Counts:
    """Check each interaction, and the snapshot as a whole.

    Args:
        interactions, items, users: Parquet files as ingested.
        feedback: the kind of each event type.
        as_of: the time of the snapshot, µs since the epoch.
        warehouse: a directory or fsspec URL that keeps the row count of the last run, to detect lost rows.
        max_failed_share: the run stops when a larger share (0 to 1) of the new rows of files and data sets
            fails. Failed rows of three kinds are quarantined and not counted: those of bots, recorded ones,
            and those that passed in an earlier snapshot.
        valid_interactions: Parquet file to write, in the contract's schema and the order of `interactions`.
        quarantine: Parquet file to write with the failed rows and a list of `reasons` for each.
        data_docs: HTML file to write.
        provider_column: column of the items that the evaluation reads; "" for none.

    Returns:
        Row counts by name, for the metrics of the step.

    Raises:
        StepError: the snapshot or too many rows failed; the quarantine and the Data Docs are written before.
            Or the items have no such provider column.
    """
    if not 0 <= max_failed_share <= 1:
        raise StepError(
            f"max_failed_share is {max_failed_share}; expected a share from 0 to 1 (--max-failed-share)"
        )
    if provider_column:
        check_column(items, provider_column)  # the evaluation would find it after the whole training
    snapshot = _check_snapshot(interactions, items, users, as_of, warehouse, data_docs)
    arrivals = Arrivals.read(interactions, warehouse, last_judged_part(warehouse), as_of)
    judged = judge(interactions, items, users, feedback, arrivals)
    split_rows(interactions, judged.failed_bits, judged.expectations, valid_interactions, quarantine)
    counts = judged.counts(snapshot)
    verdict = judge_rows(counts, max_failed_share)
    suites = {"Each interaction": judged.results, "The snapshot": snapshot}
    docs.write(data_docs, as_of, verdict, counts, suites)
    _report_counts(counts)
    if not verdict.passed:
        raise StepError(_failure_message(verdict, judged, quarantine, data_docs))
    for line in format_failures([*snapshot, *judged.results]).splitlines():
        report(line)
    save_last_run(warehouse, len(arrivals.parts), int(arrivals.parts.max()))
    return counts


def _report_counts(counts: Counts) -> None:
    report(
        f"of {counted(int(counts['rows']), 'interaction')}, {counts['valid_rows']:,} valid, "
        f"{counts['quarantined_rows']:,} in the quarantine, "
        f"{counted(int(counts['duplicate_rows']), 'duplicate')} dropped"
    )


def _failure_message(verdict: Verdict, judged: JudgedRows, quarantine: Path, data_docs: Path) -> str:
    critical = format_failures(result for result in judged.results if result.is_critical)
    return (
        f"{verdict.reason}{judged.failed_sources}:\n{critical}\nThe failed rows and the reasons are in "
        f"{quarantine}, the Data Docs in {data_docs}. {verdict.advice}"
    )


def _check_snapshot(
    interactions: Path, items: Path, users: Path, as_of: int, warehouse: str, data_docs: Path
) -> list[ExpectationResult]:
    """Check the metrics of the whole snapshot; raise StepError at a critical failure."""
    validation = FrameValidation(snapshot_suite())
    metrics = measure_snapshot(interactions, items, users, warehouse)
    validation.run(metrics)
    verdict = judge_snapshot(validation.results)
    if not verdict.passed:
        counts: Counts = {"rows": int(metrics[ROWS].iloc[0])}
        docs.write(data_docs, as_of, verdict, counts, {"The snapshot": validation.results})
        critical = format_failures(result for result in validation.results if result.is_critical)
        raise StepError(f"{verdict.reason}:\n{critical}\n{verdict.advice} Data Docs: {data_docs}")
    return validation.results
