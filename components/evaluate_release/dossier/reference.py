"""The answers that a version is compared with: those of the live version, or of another version."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.evaluate_release.dossier.held_out_answers import (
    LISTED,
    HeldOutAnswers,
    Ranks,
    shared_queries,
)
from components.evaluate_release.dossier.stored_evaluation import StoredEvaluation
from components.evaluate_release.models.live_version import LiveVersion
from components.model_names import SERVED


@dataclass(frozen=True)
class Reference:
    """Answers to some of a version's test queries."""

    measured: str  # how, as a clause
    positions: NDArray[np.int64]  # [n] of the version's test queries
    ranks: Ranks  # [n] of the targets
    items: Ranks  # [n, LISTED] rows of the version's items table, -1 for none


def as_served(live: LiveVersion | None) -> Reference | None:
    """Return the live version's own answers to the queries newer than its data; None if there are none."""
    if live is None or live.answers is None or live.new_queries is None:
        return None
    positions = np.flatnonzero(live.new_queries)
    measured = (
        f"the live version as it is served, on the {len(positions):,} queries that are newer than its data"
    )
    return Reference(measured, positions, live.answers.ranks, live.answers.items[:, :LISTED])


def as_evaluated(own: StoredEvaluation, other: StoredEvaluation) -> Reference | None:
    """Return what another version answered in its own evaluation to the same queries; None if there are none.

    Both versions were trained without these queries' targets: each was measured before its refit.
    """
    positions, of_other = shared_queries(own.answers, other.answers)
    if not len(positions):
        return None
    trained = other.facts["trained_until"], own.facts["trained_until"]
    same = "both trained until {} UTC" if trained[0] == trained[1] else "trained until {} and {} UTC"
    measured = (
        f"both as they were evaluated, before their refit ({same.format(*trained)}), on the "
        f"{len(positions):,} queries that both evaluations held out"
    )
    answered = own.items.rows_of(other.items)[other.answers.items[SERVED][of_other]]
    return Reference(measured, positions, other.answers.ranks[SERVED][of_other], answered)


def as_baseline(answers: HeldOutAnswers, baseline: str) -> Reference:
    """Return the answers of a baseline to all queries."""
    everything = np.arange(len(answers))
    return Reference("on all test queries", everything, answers.ranks[baseline], answers.items[baseline])
