"""Learns the feedback policy of a snapshot."""

from pathlib import Path

from duckdb import DuckDBPyConnection

from components.ingest_interactions.duckdb_session import literal
from components.ingest_interactions.feedback_options import FeedbackOptions
from feature_repo.event_types import RATE
from feature_repo.feedback import FeedbackPolicy, RatingScale


def learn_feedback(
    connection: DuckDBPyConnection, interactions: Path, options: FeedbackOptions
) -> FeedbackPolicy:
    """Return the policy: the user's options, and the rating scale of the snapshot's ratings."""
    counted = connection.execute(
        f"SELECT value, count(*) AS rows FROM read_parquet({literal(str(interactions))}) "
        "WHERE event_type = ? AND isfinite(value) GROUP BY value ORDER BY value",
        [RATE],
    ).fetchnumpy()
    ratings = RatingScale.learn(counted["value"], counted["rows"], options.min_value)
    return FeedbackPolicy(options.kinds, options.weights, ratings, options.all_positive)
