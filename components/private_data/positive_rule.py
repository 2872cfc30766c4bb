"""What counts as positive in a private data set: a rule that no user's data decides."""

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from components.errors import StepError
from feature_repo.event_types import RATE, Kind
from feature_repo.feedback import FeedbackPolicy
from feature_repo.rating_scale import RatingScale


def positive_rule(interactions: Path, feedback: Path) -> FeedbackPolicy:
    """Return the policy of a snapshot without what was learned from its ratings.

    Raises:
        StepError: the scale that was learned from all users decides which ratings are positive.
    """
    policy = FeedbackPolicy.read(feedback)
    if policy.all_positive or policy.kind(RATE) is not Kind.POSITIVE:
        return policy
    if policy.ratings and policy.ratings.like_from is not None:
        return replace(policy, ratings=RatingScale.positive_from(policy.ratings.like_from))
    values = pq.read_table(interactions, columns=["value"], filters=[("event_type", "=", RATE)])["value"]
    if len(values.drop_null()):
        raise StepError(
            "which ratings are positive is learned from all users here, and that would reveal something of "
            "them beside the noised counts: give a rule with `penchant run --min-value NUMBER` (or "
            "--all-positive), which this home keeps"
        )
    return policy
