"""Tests of the service through its client: an answer with fewer than k items says what removed the others."""

from collections.abc import Iterator
from typing import Any

import pytest

from feature_repo.histories import History
from feature_repo.interaction import Interaction
from serving.answers import Rule
from tests.serving.planted import COUNT, FILMS
from tests.serving.service import FakeSnapshot, RunningService, running

DAY_US = 86_400_000_000
BOOKS = COUNT - 2 * FILMS


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running(tmp_path_factory.mktemp("service")) as service:
        events = [("like", 1), ("like", 2), ("like", 3), ("dislike", 4)]
        history = [
            Interaction(f"{number}", "u", f"comedy-{number}", event, number) for event, number in events
        ]
        friend = [Interaction("f", "friend", "horror-7", "like", 1)]
        service.features.snapshots["u"] = FakeSnapshot(History().extend(history), as_of=DAY_US)
        service.features.snapshots["friend"] = FakeSnapshot(History().extend(friend), as_of=DAY_US)
        yield service


@pytest.mark.parametrize(
    ("options", "left", "counts"),
    [
        ({"domain": "songs"}, 0, {Rule.DOMAIN: COUNT}),
        (
            {"domain": "films", "k": COUNT},
            2 * FILMS - 4,
            {Rule.DOMAIN: BOOKS, Rule.SEEN: 3, Rule.DISLIKED: 1},
        ),
        ({"allow_item_ids": ["comedy-1"]}, 0, {Rule.ALLOW_ITEM_IDS: COUNT - 1, Rule.SEEN: 1}),
        ({"allow_item_ids": ["comedy-1"], "include_seen": True}, 1, {Rule.ALLOW_ITEM_IDS: COUNT - 1}),
        (
            {"scenario": "ads", "bids": {"horror-1": 1.0}},
            1,
            {Rule.BIDS: COUNT - 5, Rule.SEEN: 3, Rule.DISLIKED: 1},
        ),
        (
            {"scenario": "social", "followed_user_ids": ["friend"]},
            1,
            {Rule.SOURCES: COUNT - 5, Rule.SEEN: 3, Rule.DISLIKED: 1},
        ),
        (
            {"scenario": "content", "k": COUNT, "exclude_categories": ["Comedy"]},
            5,
            {Rule.EXCLUDE_CATEGORIES: COUNT // 2, Rule.MAX_PER_CATEGORY: COUNT // 2 - 5},
        ),
        ({"k": COUNT - 4}, COUNT - 4, {}),
    ],
)
def test_the_counts_name_the_rules_that_removed_the_other_items(
    service: RunningService, options: dict[str, Any], left: int, counts: dict[Rule, int]
) -> None:
    answer = service.client.recommend("u", **options)
    assert len(answer.recommendations) == left
    assert {removed.rule: removed.items for removed in answer.removed_counts} == counts
    sizes = [removed.items for removed in answer.removed_counts]
    assert sizes == sorted(sizes, reverse=True)
