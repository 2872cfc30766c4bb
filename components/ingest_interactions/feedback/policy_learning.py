"""Learns the feedback policy of a snapshot: the user's options and the rating scale."""

from pathlib import Path

from duckdb import DuckDBPyConnection

from components.ingest_interactions.duckdb_session import file_list
from components.ingest_interactions.feedback.feedback_options import FeedbackOptions
from components.progress import report
from feature_repo.event_types import RATE
from feature_repo.feedback import FeedbackPolicy
from feature_repo.rating_scale import RatingScale


def learn_feedback(
    connection: DuckDBPyConnection, interactions: Path, options: FeedbackOptions
) -> FeedbackPolicy:
    """Return the policy: the user's options, and the rating scale of the snapshot's ratings."""
    counted = connection.execute(
        f"SELECT value, count(*) AS rows FROM read_parquet({file_list([interactions])}) "
        "WHERE event_type = ? AND isfinite(value) GROUP BY value ORDER BY value",
        [RATE],
    ).fetchnumpy()
    values, rows = counted["value"], counted["rows"]
    ratings = RatingScale.learn(values, rows, options.min_value)
    policy = FeedbackPolicy(options.kinds, options.weights, ratings, options.all_positive)
    if options.all_positive:
        report("ratings: every interaction is positive (--all-positive), whatever its value")
    elif ratings:
        report(_describe_scale(ratings))
    elif len(values):
        report(
            f"values of {RATE!r} are amounts, {values[0]:g} to {values[-1]:g}, and no rating scale: each of "
            f"these {rows.sum():,} interactions is positive; --min-value N says from where liking begins"
        )
    elif options.min_value is not None:
        report(f"--min-value {options.min_value:g} has no effect: no {RATE!r} has a value")
    return policy


def _describe_scale(ratings: RatingScale) -> str:
    scale = f"ratings from {ratings.low:g} to {ratings.high:g}, mean {ratings.mean:.2f}"
    if ratings.like_from is not None:
        return f"{scale}: liking begins at {ratings.like_from:g} (--min-value)"
    low, high = ratings.like_range
    return (
        f"{scale}: liking begins at each user's own mean, between {low:.2f} and {high:.2f} "
        "(--min-value N sets it)"
    )
