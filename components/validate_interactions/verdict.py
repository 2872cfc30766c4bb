"""Decides whether a run goes on after validation."""

from dataclasses import dataclass

from components.validate_interactions.expectation_results import ExpectationResult, failures
from components.validate_interactions.snapshot_metrics import LAST_RUN
from feature_repo.counts import counted

Counts = dict[str, int | float]


@dataclass(frozen=True)
class Verdict:
    """`reason` says why, in one sentence; `advice` says what to do next when the run stops."""

    passed: bool
    reason: str
    advice: str = ""


def judge_snapshot(results: list[ExpectationResult]) -> Verdict:
    """Stop at any critical failure of the snapshot as a whole."""
    failed = [result for result in failures(results) if result.is_critical]
    if not failed:
        return Verdict(True, "The snapshot as a whole meets every critical expectation.")
    return Verdict(
        False,
        f"The snapshot as a whole fails {counted(len(failed), 'critical check')}",
        "Correct the sources: the columns must match the contract, and no rows may get lost. `penchant data "
        "retract` withdraws interactions on purpose. If they were deleted in another way, delete "
        f"{LAST_RUN} in the warehouse and run again.",
    )


def judge_rows(counts: Counts, max_failed_share: float) -> Verdict:
    """Stop when too many new rows of files fail, or no row is valid."""
    reason = (
        f"{counts['failed_share']:.2%} of {counted(int(counts['new_rows']), 'new interaction')} of files "
        f"failed; at most {max_failed_share:.2%} may fail"
    )
    if not counts["valid_rows"]:
        reason = f"none of {counts['rows']:,} interactions is valid"
    if counts["valid_rows"] and counts["failed_share"] <= max_failed_share:
        return Verdict(True, reason)
    advice = (
        "Correct the source and give it again: its rows are replaced. Or withdraw it (`penchant data list`, "
        "`penchant data retract`), or allow more failures with --max-failed-share."
    )
    return Verdict(False, reason, advice)
