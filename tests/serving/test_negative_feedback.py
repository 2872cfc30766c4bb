"""Tests of the service through its client: what a negative opinion changes in the next answer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from feature_repo.histories import History
from feature_repo.interaction import Interaction
from serving.answers import Answer, Rule
from tests.serving.planted import COUNT
from tests.serving.service import FakeSnapshot, RunningService, running

DAY_US = 86_400_000_000

# The first day of 2020.
DAY_0 = 18_262


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    with running(tmp_path) as service:
        yield service


def events(event_type: str, category: str, *numbers: int, user: str = "u", day: int = 1) -> list[Interaction]:
    """Return one interaction a microsecond."""
    return [
        Interaction(
            f"{event_type}-{category}-{n}",
            user,
            f"{category}-{n}",
            event_type,
            (DAY_0 + day) * DAY_US + position,
        )
        for position, n in enumerate(numbers)
    ]


def ids(answer: Answer) -> set[str]:
    return {item.item_id for item in answer.recommendations}


def share(answer: Answer, category: str) -> float:
    return sum(category in item.categories for item in answer.recommendations) / len(answer.recommendations)


def test_three_dislikes_of_a_category_change_the_next_answer_which_says_so(service: RunningService) -> None:
    service.client.record_all(events("like", "horror", *range(6)))
    before = service.client.recommend("u")
    assert (share(before, "Horror"), before.dislike_effects) == (1, [])
    service.client.record_all(events("dislike", "horror", 6, 7, 8, day=2))
    after = service.client.recommend("u")
    assert share(after, "Horror") == 0
    assert [(effect.category, effect.reason) for effect in after.dislike_effects] == [
        ("Horror", "less Horror: you disliked Horror 8 of 1, Horror 7 of 1 and 1 more")
    ]
    assert after.dislike_effects[0].because_item_ids == ["horror-8", "horror-7", "horror-6"]
    service.client.record_all(events("like", "horror", 9, 10, 11, day=3))
    again = service.client.recommend("u", k=5)
    assert (share(again, "Horror"), again.dislike_effects) == (1, [])


def test_no_reason_names_a_disliked_item(service: RunningService) -> None:
    liked = events("like", "horror", 1, 2) + events("like", "comedy", 7)
    service.client.record_all(liked + events("dislike", "horror", 3, day=2))
    answer = service.client.recommend("u", k=COUNT, explain=True)
    because = {past for item in answer.recommendations for past in item.because_item_ids}
    assert because == {"horror-1", "horror-2", "comedy-7"}
    assert not [item.reason for item in answer.recommendations if "Horror 3" in item.reason]
    assert any("Horror 2" in item.reason for item in answer.recommendations)


@pytest.mark.parametrize("seen_items", ["filter", "keep"])
def test_a_disliked_item_comes_back_only_after_it_is_liked(tmp_path: Path, seen_items: str) -> None:
    with running(tmp_path, seen_items=seen_items) as service:
        service.client.record_all(events("like", "horror", 1, 2, 3) + events("dislike", "horror", 2, day=2))

        def answered(**rules: Any) -> set[str]:
            return ids(service.client.recommend("u", k=COUNT, include_seen=True, **rules))

        assert len(answered()) == COUNT - 1
        assert "horror-2" not in answered(allow_item_ids=["horror-2"])
        # To look at the item again is no new opinion.
        service.client.record("u", "horror-2", event_type="view")
        assert "horror-2" not in answered()
        service.client.record("u", "horror-2", event_type="like")
        assert "horror-2" in answered()


def test_explain_lists_the_items_that_dislikes_removed_and_what_they_cost(service: RunningService) -> None:
    service.client.record_all(events("like", "horror", 1, 2) + events("dislike", "horror", 3, 4, 5, day=2))
    answer = service.client.recommend("u", k=COUNT, include_seen=True, explain=True)
    assert {item.item_id: item.rule for item in answer.removed} == {
        f"horror-{number}": Rule.DISLIKED for number in (3, 4, 5)
    }
    for item in answer.recommendations:
        assert sum(item.contributions.values()) == pytest.approx(item.score, abs=1e-4)
        assert (item.contributions["dislikes"] < 0) == ("Horror" in item.categories)
    rules = {item.rule for item in service.client.recommend("u", k=8, explain=True).removed}
    assert rules == {Rule.SEEN, Rule.DISLIKED, Rule.LIKE_DISLIKED}


@pytest.mark.parametrize("profile", [{}, {"likes": "Horror"}, {"gender": "F", "age": 20.0}])
def test_a_user_with_dislikes_only_gets_what_is_trending_without_their_kind(
    service: RunningService, profile: dict[str, str | float]
) -> None:
    service.features.snapshots["u"] = FakeSnapshot(History(), as_of=0, profile=profile)
    before = service.client.recommend("u")
    service.client.record_all(events("dislike", "horror", 0, 1, 2, 3, 4))
    after = service.client.recommend("u", explain=True)
    assert after.basis == before.basis != "history"
    assert share(after, "Horror") < share(before, "Horror")
    assert share(after, "Horror") <= 0.1
    assert [effect.category for effect in after.dislike_effects] == ["Horror"]
    assert len(after.recommendations) == 10
    for item in after.recommendations:
        assert sum(item.contributions.values()) == pytest.approx(item.score, abs=1e-4)


def test_a_request_history_can_hold_dislikes(service: RunningService) -> None:
    visitor = [
        *events("like", "horror", 1, 2, user=""),
        *events("thumbs_down", "horror", 3, 4, 5, user="", day=2),
    ]
    answer = service.client.recommend("", history=visitor)
    assert (share(answer, "Horror"), answer.basis) == (0, "request_history")
    assert [effect.category for effect in answer.dislike_effects] == ["Horror"]


def test_interests_hold_positive_interactions_only(service: RunningService) -> None:
    service.client.record_all(events("like", "comedy", 1, 2) + events("dislike", "horror", *range(6), day=2))
    interests = service.client.interests("u")
    assert [(interest.category, interest.weight) for interest in interests.interests] == [("Comedy", 1.0)]
    assert interests.shift == 0


def test_what_followed_users_dislike_is_no_candidate(service: RunningService) -> None:
    service.client.record_all(
        events("like", "comedy", 1, user="friend") + events("dislike", "horror", 2, user="friend", day=2)
    )
    answer = service.client.recommend("u", scenario="social", followed_user_ids=["friend"])
    assert ids(answer) == {"comedy-1"}


def test_event_types_are_recorded_by_their_known_names(service: RunningService) -> None:
    service.client.record("u", "horror-1", event_type="Thumbs-Down")
    assert [each.event_type for each in service.log.since("u", 0)] == ["dislike"]
    service.client.record("v", "horror-1", event_type="Impressions")
    assert service.log.since("v", 0) == []
