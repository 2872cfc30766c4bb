"""Validates interactions: valid rows go on, failed rows are quarantined, too many failures stop the run."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.errors import StepError
from components.progress import report
from components.validate_interactions import data_docs as docs
from components.validate_interactions.arrivals import Arrivals
from components.validate_interactions.bots_and_duplicates import (
    BOT_INTERACTIONS_PER_DATE,
    BotsAndDuplicates,
    find_bots_and_duplicates,
)
from components.validate_interactions.expectation_results import ExpectationResult, failures, format_failures
from components.validate_interactions.expectations import ROWS, interactions_suite, snapshot_suite
from components.validate_interactions.gx_checkpoint import Checkpoint
from components.validate_interactions.rows import BOT, DUPLICATE, read_frames, split_rows
from components.validate_interactions.snapshot_metrics import (
    last_judged_part,
    measure_snapshot,
    save_last_run,
)
from components.validate_interactions.verdict import Counts, judge_rows, judge_snapshot
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
) -> Counts:
    """Check each interaction, and the snapshot as a whole.

    Args:
        interactions, items, users: Parquet files as ingested.
        feedback: the kind of each event type.
        as_of: the time of the snapshot, µs since the epoch.
        warehouse: a directory or fsspec URL that keeps the row count of the last run, to detect lost rows.
        max_failed_share: the run stops when a larger share (0 to 1) of the new rows of files and data sets
            fails. Bots, recorded rows, and rows of an earlier snapshot that passed are set aside only.
        valid_interactions: Parquet file to write, in the contract's schema and the order of `interactions`.
        quarantine: Parquet file to write with the failed rows and a list of `reasons` for each.
        data_docs: HTML file to write.

    Returns:
        Row counts by name, for the metrics of the step.

    Raises:
        StepError: the snapshot or too many rows failed; the quarantine and the Data Docs are written before.
    """
    if not 0 <= max_failed_share <= 1:
        raise StepError(
            f"max_failed_share is {max_failed_share}; expected a share from 0 to 1 (--max-failed-share)"
        )
    snapshot = _check_snapshot(interactions, items, users, as_of, warehouse, data_docs)
    checkpoint = Checkpoint(interactions_suite(feedback))
    arrivals = Arrivals.read(interactions, warehouse, last_judged_part(warehouse), as_of)
    frames = read_frames(interactions, items, users, arrivals)
    failed_bits = np.concatenate([checkpoint.run(frame) for frame in frames])
    bots_and_duplicates = find_bots_and_duplicates(interactions, np.flatnonzero(failed_bits))
    failed_bits[bots_and_duplicates.bots] |= BOT
    failed_bits[bots_and_duplicates.duplicates] |= DUPLICATE
    if bots_and_duplicates.dated:
        report(
            f"{bots_and_duplicates.dated:,} interactions have a date without a time of day: a bot has more "
            f"than {BOT_INTERACTIONS_PER_DATE:,} on one date, and repeats on one date are no duplicates"
        )
    split_rows(interactions, failed_bits, checkpoint.results, valid_interactions, quarantine)
    results = [*checkpoint.results, bots_and_duplicates.bot_result(len(failed_bits))]
    counts = _count(failed_bits, arrivals.can_stop, bots_and_duplicates, [*snapshot, *results])
    verdict = judge_rows(counts, max_failed_share)
    docs.write(data_docs, as_of, verdict, counts, {"Each interaction": results, "The snapshot": snapshot})
    report(
        f"{counts['valid_rows']:,} of {counts['rows']:,} interactions are valid, "
        f"{counts['quarantined_rows']:,} are in the quarantine, "
        f"{counts['duplicate_rows']:,} duplicates were dropped"
    )
    if not verdict.passed:
        critical = format_failures(result for result in results if result.is_critical)
        raise StepError(
            f"{verdict.reason}:\n{critical}\nThe failed rows and the reasons are in {quarantine}, "
            f"the Data Docs in {data_docs}. {verdict.advice}"
        )
    for line in format_failures([*snapshot, *results]).splitlines():
        report(line)
    save_last_run(warehouse, len(failed_bits), int(arrivals.parts.max()))
    return counts


def _check_snapshot(
    interactions: Path, items: Path, users: Path, as_of: int, warehouse: str, data_docs: Path
) -> list[ExpectationResult]:
    """Check the metrics of the whole snapshot; raise StepError at a critical failure."""
    checkpoint = Checkpoint(snapshot_suite())
    metrics = measure_snapshot(interactions, items, users, warehouse)
    checkpoint.run(metrics)
    verdict = judge_snapshot(checkpoint.results)
    if not verdict.passed:
        counts: Counts = {"rows": int(metrics[ROWS].iloc[0])}
        docs.write(data_docs, as_of, verdict, counts, {"The snapshot": checkpoint.results})
        critical = format_failures(result for result in checkpoint.results if result.is_critical)
        raise StepError(f"{verdict.reason}:\n{critical}\n{verdict.advice} Data Docs: {data_docs}")
    return checkpoint.results


def _count(
    failed_bits: NDArray[np.uint64],
    can_stop: NDArray[np.bool_],
    bots_and_duplicates: BotsAndDuplicates,
    results: list[ExpectationResult],
) -> Counts:
    failed = int(np.count_nonzero((failed_bits & ~(DUPLICATE | BOT) != 0) & can_stop))
    new = int(np.count_nonzero(can_stop))
    return {
        "rows": len(failed_bits),
        "valid_rows": int(np.count_nonzero(failed_bits == 0)),
        "quarantined_rows": int(np.count_nonzero(failed_bits & ~DUPLICATE)),
        "duplicate_rows": len(bots_and_duplicates.duplicates),
        "bot_users": len(bots_and_duplicates.bot_users),
        "new_rows": new,
        "failed_share": failed / max(new, 1),
        "warnings": sum(not result.is_critical for result in failures(results)),
    }
