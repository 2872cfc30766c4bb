"""The collaborative filters of a release, fitted on one split."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
from scipy.sparse import csr_array

from components.progress import report
from components.train_collaborative_filters.als import als
from components.train_collaborative_filters.ease import ease
from components.train_collaborative_filters.interactions import Interactions, read, read_table
from components.train_collaborative_filters.item_cosine import item_cosine
from components.train_collaborative_filters.popularity import half_life, popularity, trend
from components.train_collaborative_filters.segments import segments
from components.train_collaborative_filters.transitions import transitions
from components.train_collaborative_filters.user_cosine import user_rows
from components.train_collaborative_filters.user_sequences import user_sequences
from feature_repo.contract import MAX_HISTORY
from serving.release.arrays import FloatArray
from serving.release.collaborative_filters import CollaborativeFilters
from serving.release.segments import Segments

T = TypeVar("T")


@dataclass(frozen=True)
class FilterParameters:
    """Chosen on the validation parts of MovieLens-100K and -1M together; flat around these values."""

    window: int = 10  # steps ahead that count as "soon after"
    backward: float = 0.0  # what a step back counts, beside a step ahead
    smoothing: float = 10.0  # counts of popularity in each item's transitions
    neighbours: int = 200  # entries kept of each row of each matrix
    max_users: int = 20_000  # users that a history is compared with, at each request
    neighbour_pace: float = 0.2  # of trend's half-life: a neighbour's choice so far away in time counts half
    ease_regularisation: float = 300.0
    ease_max_items: int = 8_000  # about 15 s and 0.5 GB there; both grow faster than the catalog
    als_factors: int = 64
    als_regularisation: float = 1.0  # of what chance would make
    als_confidence: float = 3.0
    als_iterations: int = 10


def fit(
    training_set: Path,
    items: Path,
    split: str,
    output: Path,
    parameters: FilterParameters | None = None,
    users: Path | None = None,
) -> None:
    """Fit every filter on the windows of `split` ("train" or "all") and save them as `CollaborativeFilters`.

    With `users`, their attributes make the segments whose trends are kept.

    Raises:
        StepError: a file can't be read, the split is empty, or an item is not in `items`.
    """
    interactions = read(training_set, items, split)
    report(
        f"{len(interactions):,} interactions of {interactions.user_count:,} users "
        f"with {interactions.item_count:,} items (split {split})"
    )
    attributes = read_table(users) if users else None
    fit_filters(interactions, parameters or FilterParameters(), attributes).save(output)


def fit_filters(
    interactions: Interactions, parameters: FilterParameters, users: pa.Table | None = None
) -> CollaborativeFilters:
    """Every filter; pairs of a user's interactions are counted among the newest MAX_HISTORY of each user."""
    chosen, recent = parameters, interactions.newest(MAX_HISTORY)
    pace = half_life(interactions)
    report(f"trend: half-life {pace / 86_400e6:.3g} days")
    return CollaborativeFilters(
        transitions=_timed(
            "transitions",
            lambda: transitions(
                interactions, chosen.window, chosen.backward, chosen.smoothing, chosen.neighbours
            ),
        ),
        item_cosine=_timed("item cosine", lambda: item_cosine(recent, chosen.neighbours)),
        user_items=_timed("user rows", lambda: user_rows(recent, chosen.max_users)),
        popularity=popularity(interactions),
        trend=trend(interactions, pace),
        ease=_ease(recent, chosen),
        als=_timed("ALS", lambda: _als(recent, chosen)),
        user_sequences=_timed(
            "user sequences",
            lambda: user_sequences(interactions, chosen.max_users, round(pace * chosen.neighbour_pace)),
        ),
        segments=_segments(interactions, users, pace) if users is not None else None,
    )


def _segments(interactions: Interactions, users: pa.Table, pace: int) -> Segments | None:
    found = segments(interactions, users, pace)
    priors = {segment.attribute: segment.prior for segment in found.segments} if found else {}
    told = ", ".join(f"{name} with a prior of {prior:,.0f}" for name, prior in priors.items())
    report(f"segments: {len(found.segments) if found else 0} by the users' attributes ({told or 'none'})")
    return found


def _ease(interactions: Interactions, parameters: FilterParameters) -> csr_array | None:
    if interactions.item_count > parameters.ease_max_items:
        report(
            f"EASE: left out, its time grows with the cube of the catalog: "
            f"{interactions.item_count:,} items, at most {parameters.ease_max_items:,}"
        )
        return None
    return _timed("EASE", lambda: ease(interactions, parameters.ease_regularisation, parameters.neighbours))


def _als(interactions: Interactions, parameters: FilterParameters) -> FloatArray:
    return als(
        interactions,
        parameters.als_factors,
        parameters.als_regularisation,
        parameters.als_confidence,
        parameters.als_iterations,
    )


def _timed(name: str, fitted: Callable[[], T]) -> T:
    start = time.monotonic()
    result = fitted()
    entries = f"{result.nnz:,} entries, " if isinstance(result, csr_array) else ""
    report(f"{name}: {entries}{time.monotonic() - start:.1f} s")
    return result
