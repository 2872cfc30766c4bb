"""What one user's choices are does not depend on the ratings of others."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.errors import StepError
from components.private_data.choices import read_choices
from components.private_data.positive_rule import positive_rule
from feature_repo.event_types import Kind
from feature_repo.feedback import FeedbackPolicy
from feature_repo.rating_scale import RatingScale

ITEMS = ["i1", "i2", "i3", "i4"]


def choices_of_ann(folder: Path, others: list[float], like_from: float | None = 4) -> list[int]:
    """Return what Ann chose, of ratings 4, 5, 1 and 3 and a purchase, next to other users' ratings of i1."""
    # A dislike of i4 would make Ann's purchase of it neutral.
    ann = [
        ("i4", "purchase", None),
        ("i1", "rate", 4.0),
        ("i2", "rate", 5.0),
        ("i3", "rate", 1.0),
        ("i4", "rate", 3.0),
    ]
    rows = [("ann", *row) for row in ann] + [(f"u{n}", "i1", "rate", value) for n, value in enumerate(others)]
    user, item, event, value = zip(*rows, strict=True)
    table = pa.table(
        {
            "user_id": user,
            "item_id": item,
            "event_type": event,
            "value": pa.array(value, pa.float64()),
            "timestamp": pa.array(range(len(rows)), pa.timestamp("us", "UTC")),
        }
    )
    pq.write_table(table, folder / "interactions.parquet")
    pq.write_table(pa.table({"item_id": ITEMS}), folder / "items.parquet")
    ratings = np.array([1.0, 3.0, 4.0, 5.0, *others])
    values, counts = np.unique(ratings, return_counts=True)
    FeedbackPolicy(ratings=RatingScale.learn(values, counts, like_from)).write(folder / "feedback.json")
    rule = positive_rule(folder / "interactions.parquet", folder / "feedback.json")
    users, items = read_choices(folder / "interactions.parquet", folder / "items.parquet", rule)
    return items[users == 0].tolist()


def test_the_ratings_of_others_change_no_choice_of_a_user(tmp_path: Path) -> None:
    expected = [ITEMS.index(item) for item in ("i4", "i1", "i2")]
    assert choices_of_ann(tmp_path, [5.0] * 10) == expected
    assert choices_of_ann(tmp_path, [-50.0] * 10) == expected
    assert choices_of_ann(tmp_path, [4.0] * 1000) == expected


@pytest.mark.parametrize("others", [[5.0], [1000.0] * 10])  # a scale, and amounts
def test_a_scale_that_is_learned_from_all_users_is_refused(others: list[float], tmp_path: Path) -> None:
    with pytest.raises(StepError, match="penchant run --min-value"):
        choices_of_ann(tmp_path, others, like_from=None)


@pytest.mark.parametrize(
    "policy",
    [FeedbackPolicy(all_positive=True), FeedbackPolicy(kinds={"rate": Kind.NEUTRAL})],
)
def test_a_policy_that_reads_no_value_of_a_rating_is_a_rule(policy: FeedbackPolicy, tmp_path: Path) -> None:
    policy.write(tmp_path / "feedback.json")
    assert positive_rule(tmp_path / "none.parquet", tmp_path / "feedback.json") == policy
