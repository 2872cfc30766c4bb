"""Separates the interactions that vote for their items from those that say no."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from components.errors import StepError
from components.progress import report
from components.train_collaborative_filters.event_log import EventLog
from components.train_collaborative_filters.interactions import Interactions
from feature_repo.event_types import RATE
from feature_repo.feedback import FeedbackPolicy
from serving.release.arrays import FloatArray

# The lowest rating that votes for its item is not 0 in the users' rows.
MIN_RATING: Final = 0.1


@dataclass(frozen=True)
class SignedInteractions:
    """The interactions of a split by their sign; all parts have the same user and item indexes."""

    votes: Interactions  # their weights are the votes of the policy, scaled to a mean of 1 for positive ones
    ratings: Interactions  # the votes again; the weight of a rating is its share of the highest one
    dislikes: Interactions  # the negative interactions, with weights from 0 to 1


def by_sign(log: EventLog, feedback: FeedbackPolicy, split: str) -> SignedInteractions:
    """Separate the interactions of a log that is in order; report how many there are of each sign.

    Positive weights are divided by their mean: so only the ratios of the weights of the event types matter.

    Raises:
        StepError: no interaction is positive.
    """
    event_types = np.array(log.event_types, object)[log.events].tolist()
    offsets = np.searchsorted(log.users, np.arange(len(log.user_ids) + 1))
    preferences, votes = feedback.preferences_and_votes(
        log.items, event_types, log.values, log.timestamps, offsets
    )
    is_positive = preferences > 0
    _report_signs(preferences, split)
    votes[is_positive] /= votes[is_positive].mean(dtype=np.float64)
    ratings = _ratings(log, votes, feedback)
    everything = Interactions(
        log.users, log.items, log.timestamps, votes, len(log.user_ids), log.item_count, log.user_ids
    )
    return SignedInteractions(
        votes=everything.select(votes > 0),
        ratings=replace(everything, weights=ratings).select(votes > 0),
        dislikes=replace(everything, weights=np.minimum(-preferences, 1)).select(preferences < 0),
    )


def _report_signs(preferences: FloatArray, split: str) -> None:
    parts = {"positive": preferences > 0, "neutral": preferences == 0, "negative": preferences < 0}
    counts = ", ".join(f"{np.count_nonzero(part):,} {name}" for name, part in parts.items())
    if not parts["positive"].any():
        raise StepError(
            f"split {split!r} holds no positive interaction ({counts}), and there is nothing to recommend "
            "from: state which event types are positive with --positive, or where liking begins with "
            "--min-value"
        )
    report(f"feedback: {counts}")


def _ratings(log: EventLog, votes: FloatArray, feedback: FeedbackPolicy) -> FloatArray:
    """Return [interactions] each rating as a share of the highest one; `votes` where there is no rating."""
    scale = feedback.ratings
    if scale is None or feedback.all_positive:
        return votes
    zero = min(scale.low, 0.0)
    shares = np.clip((log.values - zero) / max(scale.high - zero, MIN_RATING), MIN_RATING, 1)
    is_rating = np.array([name == RATE for name in log.event_types])[log.events] & ~np.isnan(log.values)
    return np.where(is_rating, shares, votes).astype(np.float32)
