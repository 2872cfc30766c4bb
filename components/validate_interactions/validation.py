"""Sound interactions go on, the others are set aside with the reason, and too many of those stop the run."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from components.errors import StepError
from components.progress import report
from components.validate_interactions import bots_and_duplicates, figures, rows
from components.validate_interactions.checkpoint import Checkpoint
from components.validate_interactions.data_docs import render
from components.validate_interactions.expectations import interactions_suite, snapshot_suite
from components.validate_interactions.findings import Finding, table
from feature_repo.atomic_files import write_text_atomically

Counts = dict[str, int | float]


def validate(
    interactions: Path,
    items: Path,
    users: Path,
    as_of: int,
    warehouse: str,
    max_failed_share: float,
    *,
    valid_interactions: Path,
    quarantine: Path,
    data_docs: Path,
) -> Counts:
    """Check every interaction, and the snapshot as a whole.

    Args:
        interactions, items, users: Parquet files as ingested.
        as_of: the moment of the run, µs since the epoch.
        warehouse: keeps how many rows the last run had, to tell when some got lost.
        max_failed_share: of the rows, 0 to 1; more in the quarantine stop the run.
        valid_interactions: to write, Parquet in the contract's schema, in the order of `interactions`.
        quarantine: to write, Parquet of the failing rows with a list of `reasons`.
        data_docs: to write, HTML.

    Returns:
        What became of the rows, by name.

    Raises:
        StepError: the snapshot or too many of its rows fail; the quarantine and the Data Docs are written.
    """
    if not 0 <= max_failed_share <= 1:
        raise StepError(
            f"max_failed_share is {max_failed_share}; expected a share from 0 to 1 (--max-failed-share)"
        )
    whole = _check_snapshot(figures.of_snapshot(interactions, items, users, warehouse), as_of, data_docs)
    checkpoint = Checkpoint(interactions_suite(as_of))
    failures = np.concatenate([checkpoint.run(frame) for frame in rows.frames(interactions, items, users)])
    found = bots_and_duplicates.find(interactions, np.flatnonzero(failures))
    failures[found.bots] |= rows.BOT
    failures[found.repeats] |= rows.REPEAT
    counts = _count(failures, found, [*whole, *checkpoint.findings])
    rows.part(interactions, failures, checkpoint.findings, valid_interactions, quarantine)
    findings = [*checkpoint.findings, _bots(found, len(failures))]
    _write(data_docs, as_of, counts, {"Each interaction": findings, "The snapshot": whole})
    _check_share(counts, [*whole, *findings], max_failed_share, quarantine, data_docs)
    figures.keep_rows(warehouse, len(failures))
    return counts


def _check_snapshot(snapshot: pd.DataFrame, as_of: int, page: Path) -> list[Finding]:
    checkpoint = Checkpoint(snapshot_suite())
    checkpoint.run(snapshot)
    broken = [finding for finding in checkpoint.findings if finding.failed and finding.stops]
    if broken:
        counts: Counts = {"rows": int(snapshot["rows"].iloc[0])}
        _write(page, as_of, counts, {"The snapshot": checkpoint.findings})
        raise StepError(
            f"the interactions as a whole are not sound:\n{table(broken)}\n"
            "What was ingested must match the contract, and not shrink by more than a tenth; if interactions "
            f"were removed on purpose, delete {figures.LAST_RUN} in the warehouse and run again. "
            f"Data Docs: {page}"
        )
    return checkpoint.findings


def _count(failures: NDArray[np.uint64], found: bots_and_duplicates.Noise, findings: list[Finding]) -> Counts:
    set_aside = int(np.count_nonzero(failures & ~rows.REPEAT))
    return {
        "rows": len(failures),
        "valid_rows": int(np.count_nonzero(failures == 0)),
        "quarantined_rows": set_aside,
        "repeated_rows": len(found.repeats),
        "bot_users": len(found.bot_users),
        "failed_share": set_aside / len(failures),
        "warnings": sum(1 for finding in findings if finding.failed and not finding.stops),
    }


def _bots(found: bots_and_duplicates.Noise, total: int) -> Finding:
    column, _, reason = bots_and_duplicates.BOT_REASON.partition(": ")
    statement = (
        f"at most {bots_and_duplicates.BOT_INTERACTIONS_PER_HOUR:,} interactions of a user within an hour."
    )
    examples = [repr(user) for user in found.bot_users[:3]]
    return Finding("noise rule", column, reason, "critical", statement, total, len(found.bots), examples)


def _check_share(
    counts: Counts, findings: list[Finding], max_failed_share: float, quarantine: Path, page: Path
) -> None:
    report(
        f"{counts['valid_rows']:,} of {counts['rows']:,} interactions are sound, "
        f"{counts['quarantined_rows']:,} set aside ({counts['failed_share']:.2%}), "
        f"{counts['repeated_rows']:,} repeats dropped"
    )
    if counts["valid_rows"] and counts["failed_share"] <= max_failed_share:
        for line in table(findings).splitlines():
            report(line)
        return
    raise StepError(
        f"{counts['failed_share']:.2%} of {counts['rows']:,} interactions fail validation, allowed are "
        f"{max_failed_share:.2%}:\n{table([finding for finding in findings if finding.stops])}\n"
        f"The failing rows and their reasons are in {quarantine}, the Data Docs in {page}. "
        "Correct the source, or allow more with --max-failed-share"
    )


def _write(page: Path, as_of: int, counts: Counts, suites: dict[str, list[Finding]]) -> None:
    write_text_atomically(page, render(as_of, counts, suites))
