"""Fits the collaborative filters of a release on one split of the training set."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

import pyarrow as pa
from scipy.sparse import csr_array

from components.memory import check_memory
from components.progress import report
from components.train_collaborative_filters.als import als
from components.train_collaborative_filters.ease import ease
from components.train_collaborative_filters.ease_cost import EASE_MAX_ITEMS, ease_cost
from components.train_collaborative_filters.interactions import Interactions
from components.train_collaborative_filters.item_cosine import item_cosine
from components.train_collaborative_filters.item_transitions import transitions
from components.train_collaborative_filters.popularity import half_life, popularity, trend
from components.train_collaborative_filters.reading import read, read_table
from components.train_collaborative_filters.signed_interactions import SignedInteractions
from components.train_collaborative_filters.user_cosine import user_rows
from components.train_collaborative_filters.user_segments import segments
from components.train_collaborative_filters.user_sequences import user_sequences
from feature_repo.contract import MAX_HISTORY
from feature_repo.feedback import FeedbackPolicy
from serving.release.arrays import FloatArray
from serving.release.collaborative_filters import CollaborativeFilters
from serving.release.user_segments import Segments

T = TypeVar("T")

# Memory of all filters but EASE: `make bench-scale`.
BASE_BYTES: Final = 500_000_000
BYTES_PER_INTERACTION: Final = 230
BYTES_PER_ITEM: Final = 3_000


@dataclass(frozen=True)
class FilterParameters:
    """Defaults are chosen on the validation splits of MovieLens-100K and -1M; small changes don't matter."""

    window: int = 10  # steps ahead that count as a transition
    backward: float = 0.0  # weight of a step back, relative to a step ahead
    smoothing: float = 10.0  # pseudo-counts of popularity in each item's transitions
    neighbours: int = 200  # entries kept per row of each matrix
    max_users: int = 20_000  # users that each request compares a history with
    # Half-life of a neighbour's choice, as a share of the trend's half-life.
    neighbour_half_life_share: float = 0.2
    ease_regularisation: float = 300.0
    ease_max_items: int = EASE_MAX_ITEMS
    als_factors: int = 64
    als_regularisation: float = 1.0  # in units of als.noise_singular_value
    als_confidence: float = 3.0
    als_iterations: int = 10


def fit(
    training_set: Path,
    items: Path,
    split: str,
    output: Path,
    feedback: FeedbackPolicy,
    parameters: FilterParameters | None = None,
    users: Path | None = None,
) -> None:
    """Fit every filter on the windows of a split, and save `CollaborativeFilters`.

    Args:
        split: "train" or "all", in a benchmark "before_test" too.
        feedback: the sign and strength of each interaction; saved with the filters.
        users: user_id and attributes, which define the segments with a trend of their own.

    Raises:
        StepError: a file can't be read, the split is empty, or an item is not in `items`.
    """
    interactions, parameters = read(training_set, items, split, feedback), parameters or FilterParameters()
    _check_memory(interactions.votes, parameters)
    attributes = read_table(users) if users else None
    filters = fit_filters(interactions, parameters, attributes)
    replace(filters, feedback=feedback).save(output)


def _check_memory(votes: Interactions, parameters: FilterParameters) -> None:
    """Raise StepError if the filters would need more memory than there is."""
    items = votes.item_count
    ease_bytes = ease_cost(items)[0] * 1e9 if items <= parameters.ease_max_items else 0.0
    needed = BASE_BYTES + BYTES_PER_INTERACTION * len(votes) + BYTES_PER_ITEM * items + ease_bytes
    advice = "give the step more memory, or leave EASE out with PENCHANT_EASE_MAX_ITEMS=0"
    check_memory("filters", f"{len(votes):,} interactions and {items:,} items", needed, advice)


def fit_filters(
    interactions: SignedInteractions, parameters: FilterParameters, users: pa.Table | None = None
) -> CollaborativeFilters:
    """Fit every filter; item pairs are counted in each user's newest MAX_HISTORY interactions."""
    votes = interactions.votes
    recent, ratings, dislikes = (
        part.newest(MAX_HISTORY) for part in (votes, interactions.ratings, interactions.dislikes)
    )
    trend_half_life = half_life(votes)
    report(f"half-life of the trend: {trend_half_life / 86_400e6:.3g} days")
    return CollaborativeFilters(
        transitions=_timed(
            "transitions",
            lambda: transitions(
                votes,
                parameters.window,
                parameters.backward,
                parameters.smoothing,
                parameters.neighbours,
            ),
        ),
        item_cosine=_timed("item cosine", lambda: item_cosine(recent, parameters.neighbours)),
        user_items=_timed("user rows", lambda: user_rows(ratings, parameters.max_users)),
        popularity=popularity(votes),
        trend=trend(votes, trend_half_life),
        ease=_ease(recent, parameters),
        als=_timed("ALS", lambda: _als(recent, dislikes, parameters)),
        user_sequences=_timed(
            "user sequences",
            lambda: user_sequences(
                votes,
                parameters.max_users,
                round(trend_half_life * parameters.neighbour_half_life_share),
            ),
        ),
        segments=_segments(votes, users, trend_half_life) if users is not None else None,
    )


def _segments(interactions: Interactions, users: pa.Table, trend_half_life: int) -> Segments | None:
    fitted = segments(interactions, users, trend_half_life)
    if fitted is None:
        report("no user segments: no attribute of the users gives any")
        return None
    priors = {segment.attribute: segment.prior for segment in fitted.segments}
    by_attribute = ", ".join(f"{name} (prior {prior:,.0f})" for name, prior in priors.items())
    report(f"{len(fitted.segments)} user segments by {by_attribute}")
    return fitted


def _ease(interactions: Interactions, parameters: FilterParameters) -> csr_array | None:
    if interactions.item_count > parameters.ease_max_items:
        gigabytes, seconds = ease_cost(interactions.item_count)
        report(
            f"EASE: left out: {interactions.item_count:,} items would take about {gigabytes:,.0f} GB and "
            f"{seconds:,.0f} s on two cores; PENCHANT_EASE_MAX_ITEMS is {parameters.ease_max_items:,}"
        )
        return None
    return _timed("EASE", lambda: ease(interactions, parameters.ease_regularisation, parameters.neighbours))


def _als(votes: Interactions, dislikes: Interactions, parameters: FilterParameters) -> FloatArray:
    return als(
        votes,
        dislikes,
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
