"""Judges each row of a snapshot: by the expectations, as a bot's, as a duplicate."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.progress import report
from components.validate_interactions.arrivals import Arrivals
from components.validate_interactions.bots_and_duplicates import (
    BOT_INTERACTIONS_PER_DATE,
    BotsAndDuplicates,
    find_bots_and_duplicates,
)
from components.validate_interactions.expectation_results import ExpectationResult, failures
from components.validate_interactions.expectations import interactions_suite
from components.validate_interactions.frame_validation import FrameValidation
from components.validate_interactions.rows import BOT, DUPLICATE, read_doubtful
from components.validate_interactions.verdict import Counts
from feature_repo.feedback import FeedbackPolicy


@dataclass(frozen=True)
class JudgedRows:
    """What is wrong with each row of a snapshot.

    Args:
        failed_bits: [rows] bit n for the expectation n, BOT and DUPLICATE.
        expectations: their results.
    """

    failed_bits: NDArray[np.uint64]
    expectations: list[ExpectationResult]
    bots_and_duplicates: BotsAndDuplicates
    arrivals: Arrivals

    @property
    def results(self) -> list[ExpectationResult]:
        """The results of the expectations and of the bot rule."""
        return [*self.expectations, self.bots_and_duplicates.bot_result(len(self.failed_bits))]

    @property
    def stopping(self) -> NDArray[np.bool_]:
        """[rows] whether a failure counts towards the stop of the run."""
        failed: NDArray[np.bool_] = (self.failed_bits & ~(DUPLICATE | BOT)) != 0
        return failed & self.arrivals.can_stop

    @property
    def failed_sources(self) -> str:
        """The sources of the rows that stop a run, such as " (sales.csv: 400)"; "" if none is known."""
        found = self.arrivals.rows_by_source(self.stopping)
        return f" ({', '.join(f'{source}: {rows:,}' for source, rows in found)})" if found else ""

    def counts(self, snapshot: list[ExpectationResult]) -> Counts:
        """Return the row counts by name, for the metrics of the step.

        Args:
            snapshot: results of the checks of the snapshot as a whole.
        """
        new = int(np.count_nonzero(self.arrivals.can_stop))
        return {
            "rows": len(self.failed_bits),
            "valid_rows": int(np.count_nonzero(self.failed_bits == 0)),
            "quarantined_rows": int(np.count_nonzero(self.failed_bits & ~DUPLICATE)),
            "duplicate_rows": len(self.bots_and_duplicates.duplicates),
            "bot_users": len(self.bots_and_duplicates.bot_users),
            "new_rows": new,
            "failed_share": int(np.count_nonzero(self.stopping)) / max(new, 1),
            "warnings": sum(not result.is_critical for result in failures([*snapshot, *self.results])),
        }


def judge(
    interactions: Path, items: Path, users: Path, feedback: FeedbackPolicy, arrivals: Arrivals
) -> JudgedRows:
    """Judge the rows of a Parquet file as ingested."""
    validation = FrameValidation(suite := interactions_suite(feedback))
    failed_bits, passed = np.zeros(len(arrivals.parts), np.uint64), len(arrivals.parts)
    for frame in read_doubtful(interactions, items, users, arrivals, suite):
        failed_bits[frame.index] = validation.run(frame)
        passed -= len(frame)
    validation.pass_rows(passed)
    found = find_bots_and_duplicates(interactions, np.flatnonzero(failed_bits))
    failed_bits[found.bots] |= BOT
    failed_bits[found.duplicates] |= DUPLICATE
    if found.dated:
        report(
            f"{found.dated:,} interactions have a date without a time of day: a bot has more than "
            f"{BOT_INTERACTIONS_PER_DATE:,} on one date, and repeats on one date are no duplicates"
        )
    return JudgedRows(failed_bits, validation.results, found, arrivals)
