"""Items that a user disliked before the history, with expected values worked out by hand."""

import pytest

from components.build_features.disliked_before import find_disliked_before
from components.build_features.labelled_users import read_labelled_users
from feature_repo.feedback import FeedbackPolicy
from feature_repo.interaction import Interaction
from tests.compute import table
from tests.feature_repo.planted import START, interactions_table


def events(user: str, *pairs: str, start: int = 0) -> list[Interaction]:
    """Return one interaction for each "event item", in order."""
    return [
        Interaction(f"{user}-{at}", user, item, event, START + at)
        for at, (event, item) in enumerate((pair.split() for pair in pairs), start)
    ]


@pytest.mark.parametrize("rows_per_batch", [1, 1_000])
def test_a_dislike_older_than_the_history_is_listed_until_a_new_opinion(rows_per_batch: int) -> None:
    log = [
        *events("ann", "dislike a", "dislike b", "like c", "dislike d", "skip e"),
        *events("ann", "view a", "view x", "like d", start=9),
        *events("bob", "view a", "view b", "dislike c", "view d"),
        *events("cleo", "dislike a", "dislike b", "dislike c", "view x", "view y", "view z"),
        *events("dan", "dislike a", "like a", "view x", "view y", "view z"),
    ]
    tables = read_labelled_users(table(interactions_table(log)), FeedbackPolicy(), rows_per_batch)
    rows = [row for users in tables for row in find_disliked_before(users, 3, 2).to_pylist()]
    assert {row["user_id"]: row["disliked_before"] for row in rows} == {"ann": ["b", "a"], "cleo": ["c", "b"]}
