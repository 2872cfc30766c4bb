"""Tests of the service through its client: answers, their basis, and degradations."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from feature_repo.histories import History
from feature_repo.interaction import Interaction
from serving.answers import Answer
from serving.errors import AlreadyExists, InvalidRequest, Unavailable
from serving.ranking.indexed_user import IndexedUser
from serving.ranking.influences import Influences
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.query import Query
from serving.release.arrays import Indexes
from serving.user_history import UserHistory
from tests.patience import HANG_S, wait_until
from tests.serving.planted import COUNT, ITEMS_PER_CATEGORY
from tests.serving.service import FakeSnapshot, RunningService, running

DAY_US = 86_400_000_000
START = 18_262 * DAY_US


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    with running(tmp_path) as service:
        yield service


def past(category: str, *numbers: int, user: str = "u", start: int = START) -> list[Interaction]:
    items = [f"{category}-{number}" for number in numbers]
    return [
        Interaction(f"{user}-{item}", user, item, "rate", start + position, 5.0)
        for position, item in enumerate(items)
    ]


def categories(answer: Answer) -> set[str]:
    return {category for item in answer.recommendations for category in item.categories}


def test_three_interactions_with_another_category_change_the_answer(service: RunningService) -> None:
    service.features.snapshots["u"] = FakeSnapshot(History().extend(past("comedy", *range(10))), as_of=DAY_US)
    before = service.client.recommend("u", k=5)
    assert (categories(before), before.basis, before.degraded) == ({"Comedy"}, "history", [])
    for number in (7, 8, 9):
        service.client.record("u", f"horror-{number}", event_type="like")
    after = service.client.recommend("u", k=5)
    assert categories(after) == {"Horror"}
    assert after.recommendations[0].reason == "often follows Horror 9 of 1"


def test_what_needs_no_interest_is_computed_during_the_call_to_the_model(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    events, compute_interest = list[str](), service.model.interest
    index, prepare = LoadedRelease.index, LoadedRelease.prepare
    is_prepared = asyncio.Event()

    async def interest(*arguments: Any) -> NDArray[np.float32]:
        events.append("called")
        await asyncio.wait_for(is_prepared.wait(), HANG_S)
        events.append("answered")
        return await compute_interest(*arguments)

    def indexed(release: LoadedRelease, user: UserHistory) -> IndexedUser:
        events.append("indexed")
        return index(release, user)

    def prepared(release: LoadedRelease, query: Query) -> None:
        events.append("prepared")
        prepare(release, query)
        is_prepared.set()

    monkeypatch.setattr(service.model, "interest", interest)
    monkeypatch.setattr(LoadedRelease, "index", indexed)
    monkeypatch.setattr(LoadedRelease, "prepare", prepared)
    service.features.snapshots["u"] = FakeSnapshot(History().extend(past("comedy", 3, 4, 5)), as_of=DAY_US)
    first = service.client.recommend("u", k=5)
    assert events == ["called", "indexed", "prepared", "answered"]
    assert service.client.recommend("u", k=5).recommendations == first.recommendations
    assert events[4:] == ["indexed"]


@pytest.mark.parametrize("answers", [False, True], ids=["the model is down", "the model answers"])
def test_the_model_does_not_change_the_answer_to_a_user_without_a_choice(
    service: RunningService, answers: bool
) -> None:
    service.model.down = not answers
    service.client.record("u", "horror-3", event_type="dislike")
    answer = service.client.recommend("u", k=5)
    assert (answer.basis, answer.degraded) == ("trending", [])
    assert service.client.recommend("u", k=5).recommendations == answer.recommendations


def test_the_next_answer_is_prefetched_after_a_recording(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.prefetch._MAX_LAG_S", HANG_S)
    service.client.record_all(past("comedy", 3, 4, 5))
    wait_until(lambda: len(service.model.calls) == 1)
    answer = service.client.recommend("u", k=5)
    assert (categories(answer), answer.degraded, len(service.model.calls)) == ({"Comedy"}, [], 1)
    service.model.down = True  # a prefetch that fails does not fail the answer
    service.client.record_all(past("horror", 1, 2, 3, start=START + 2 * DAY_US))
    assert [each.stage for each in service.client.recommend("u", k=5).degraded] == ["interest"]
    service.model.down = False
    assert categories(service.client.recommend("u", k=5)) == {"Horror"}


def test_the_reasons_of_the_next_answer_are_prefetched(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed, of = list[list[int]](), Influences.of

    def counted(query: Query, items: Indexes, *arguments: Any) -> Influences:
        computed.append(items.tolist())
        return of(query, items, *arguments)

    monkeypatch.setattr("serving.prefetch._MAX_LAG_S", HANG_S)
    monkeypatch.setattr(Influences, "of", counted)
    service.client.record_all(past("comedy", 3, 4, 5))
    wait_until(lambda: len(computed) == 1)
    assert all(item.reason for item in service.client.recommend("u").recommendations)
    assert len(computed) == 1


def test_seen_items_are_left_out_unless_the_request_includes_them(service: RunningService) -> None:
    service.client.record_all(past("comedy", 3, 4, 5))
    unseen = {item.item_id for item in service.client.recommend("u", k=COUNT).recommendations}
    assert len(unseen) == COUNT - 3
    seen_too = service.client.recommend("u", k=COUNT, include_seen=True)
    assert len(seen_too.recommendations) == COUNT


def test_items_of_interactions_older_than_the_history_are_left_out(service: RunningService) -> None:
    seen_before = ["comedy-3", "comedy-4", "no longer in the catalog"]
    snapshot = FakeSnapshot(History().extend(past("comedy", 5)), as_of=DAY_US, seen_before=seen_before)
    service.features.snapshots["u"] = snapshot
    answer = service.client.recommend("u", k=COUNT)
    answered = {item.item_id for item in answer.recommendations}
    assert len(answered) == COUNT - 3
    assert not answered & {"comedy-3", "comedy-4", "comedy-5"}
    assert len(service.client.recommend("u", k=COUNT, include_seen=True).recommendations) == COUNT
    # A request history adds to the seen items.
    with_request_history = service.client.recommend("u", k=COUNT, history=["horror-1"] * 3)
    assert {item.item_id for item in with_request_history.recommendations} == answered - {"horror-1"}


def test_a_release_with_seen_items_keep_answers_seen_items_again(tmp_path: Path) -> None:
    with running(tmp_path, seen_items="keep") as service:
        service.client.record_all(past("comedy", 3, 4, 5))
        assert len(service.client.recommend("u", k=COUNT).recommendations) == COUNT


def test_a_k_larger_than_the_catalog_returns_every_item_once(service: RunningService) -> None:
    items = [item.item_id for item in service.client.recommend("u", k=1000).recommendations]
    assert len(items) == len(set(items)) == COUNT


def test_contributions_sum_to_the_scores_which_descend(service: RunningService) -> None:
    service.client.record_all(past("comedy", 3, 4, 5))
    answer = service.client.recommend("u", k=8, explain=True)
    scores = [item.score for item in answer.recommendations]
    assert len(scores) == 8
    assert scores == sorted(scores, reverse=True)
    for item in answer.recommendations:
        assert sum(item.contributions.values()) == pytest.approx(item.score, abs=1e-4)
        assert set(item.because_item_ids) <= {"comedy-3", "comedy-4", "comedy-5"}
        assert item.because_item_ids
        assert item.sources
        assert item.reason


def test_the_rules_of_a_request_apply_and_k_items_are_returned(service: RunningService) -> None:
    service.client.record_all(past("comedy", 1, 2, 3))
    horror = service.client.recommend("u", k=ITEMS_PER_CATEGORY, categories=["Horror"])
    assert (categories(horror), len(horror.recommendations)) == ({"Horror"}, ITEMS_PER_CATEGORY)
    allowed = service.client.recommend("u", allow_item_ids=["horror-1", "comedy-9", "unknown"])
    assert [item.item_id for item in allowed.recommendations] == ["comedy-9", "horror-1"]
    unknown = service.client.recommend("u", allow_item_ids=["unknown"])
    assert unknown.recommendations == []
    without = service.client.recommend("u", k=COUNT, exclude_item_ids=["comedy-9", "unknown"])
    assert "comedy-9" not in {item.item_id for item in without.recommendations}
    assert service.client.recommend("u", domain="music").recommendations == []


def test_the_basis_of_a_cold_start_is_profile_segment_or_trend(service: RunningService) -> None:
    service.features.snapshots["profiled"] = FakeSnapshot(profile={"age": 30.0, "likes": "Western|Horror"})
    trending = service.client.recommend("unknown", k=2)
    assert (trending.basis, trending.recommendations[0].reason) == ("trending", "trending")
    assert [item.item_id for item in trending.recommendations] == ["comedy-19", "horror-19"]
    service.features.snapshots["woman"] = FakeSnapshot(profile={"gender": "F", "age": 30.0})
    segment = service.client.recommend("woman", k=3)
    assert (segment.basis, segment.recommendations[0].reason) == (
        "segment_trending",
        "trending among people like you",
    )
    assert [item.item_id for item in segment.recommendations] == ["comedy-0", "comedy-1", "comedy-2"]
    profile = service.client.recommend("profiled", k=3)
    assert (profile.basis, categories(profile)) == ("profile", {"Horror"})
    assert profile.recommendations[0].reason == "Horror, as your profile says"
    below = service.client.recommend("profiled", k=ITEMS_PER_CATEGORY + 1).recommendations[ITEMS_PER_CATEGORY]
    assert (below.categories, below.reason) == (["Comedy"], "trending")
    answer = service.client.recommend("unknown", k=3, history=["horror-1", "horror-2"])
    assert (answer.basis, categories(answer)) == ("request_history", {"Horror"})
    anonymous = service.client.recommend("", k=3, history=["horror-1", "horror-2"])
    assert anonymous.recommendations == answer.recommendations


def test_an_interaction_in_log_and_request_counts_once(service: RunningService) -> None:
    interactions = past("comedy", 3, 4, 5)
    service.client.record_all(interactions)
    recorded = service.client.recommend("u", k=5)
    assert (
        service.client.recommend("u", k=5, history=interactions).recommendations == recorded.recommendations
    )


def test_an_item_that_the_release_does_not_contain_is_recorded_and_reported(service: RunningService) -> None:
    fresh = Interaction("1", "u", "premiere", "view", START)
    recorded = service.client.record_all([fresh, *past("comedy", 3)])
    assert (recorded.recorded, recorded.unknown_item_ids) == (2, ["premiere"])
    assert service.client.recommend("u", k=3).basis == "history"
    assert service.client.recommend("other", k=3, history=["premiere"]).basis == "trending"


def test_a_repeated_interaction_id_is_not_recorded_again(service: RunningService) -> None:
    for _ in range(2):
        assert service.client.record("u", "comedy-3", interaction_id="mine") == "mine"
    (recorded,) = service.log.since("u", 0)
    assert service.client.record_all([recorded, *past("comedy", 4)]).recorded == 1
    assert len(service.log.since("u", 0)) == 2


def test_a_recording_under_the_id_of_another_interaction_is_refused_as_a_whole(
    service: RunningService,
) -> None:
    service.client.record("u", "comedy-3", interaction_id="mine")
    for user in ("u", "v"):
        other = Interaction("mine", user, "horror-1", "view", START + 1)
        with pytest.raises(AlreadyExists, match=r"interactions\[1\]\.(user|item)_id: interaction_id 'mine'"):
            service.client.record_all([*past("comedy", 4), other])
    assert [each.item_id for each in service.log.since("u", 0)] == ["comedy-3"]


def test_interests_show_recent_and_long_term_weights_and_the_shift(service: RunningService) -> None:
    service.client.record_all(
        past("comedy", *range(12)) + past("horror", *range(6), start=START + 2 * DAY_US)
    )
    interests = service.client.interests("u")
    assert [interest.category for interest in interests.interests] == ["Horror", "Comedy"]
    weights = {interest.category: interest for interest in interests.interests}
    assert weights["Horror"].long_term_weight == pytest.approx(1 / 3)
    assert interests.shift == pytest.approx(weights["Horror"].weight - 1 / 3)
    assert len(service.client.interests("u", k=1).interests) == 1
    assert service.client.interests("unknown").interests == []


def test_a_forecast_shows_items_and_categories_at_each_step(service: RunningService) -> None:
    service.client.record_all(past("horror", 3, 4, 5))

    forecast = service.client.forecast("u", steps=2, k=4)

    now, then = forecast.points
    assert (now.step, then.step) == (1, 2)
    # The fake model exchanges the categories at every other step.
    assert [item.item_id for item in now.items] == ["horror-0", "horror-1", "horror-2", "horror-6"]
    assert [item.item_id for item in then.items] == ["comedy-0", "comedy-1", "comedy-2", "comedy-3"]
    assert [each.category for each in now.categories] == ["Horror", "Comedy"]
    assert sum(each.probability for each in now.categories) == pytest.approx(1)
    assert now.probability == pytest.approx(sum(item.probability for item in now.items))
    assert len(service.client.forecast("u", k=1).points) == 5
    assert service.client.forecast("unknown").points == []


def test_a_forecast_needs_the_model(service: RunningService) -> None:
    service.client.record_all(past("horror", 3))
    service.model.down = True
    with pytest.raises(Unavailable, match="model server down"):
        service.client.forecast("u")


def test_a_forecast_of_too_many_steps_is_refused(service: RunningService) -> None:
    with pytest.raises(InvalidRequest, match=r"steps: expected 0 \(for 5\) to 5"):
        service.client.forecast("u", steps=6)


def test_collaborative_filters_rank_until_the_model_is_back(service: RunningService) -> None:
    service.client.record_all(past("horror", 3, 4, 5))
    service.model.down = True
    degraded = service.client.recommend("u", k=5)
    assert categories(degraded) == {"Horror"}
    assert [(each.stage, each.fallback) for each in degraded.degraded] == [
        ("interest", "collaborative_filters")
    ]
    service.model.down = False
    assert service.client.recommend("u", k=5).degraded == []


def test_the_log_gives_the_history_until_the_feature_store_is_back(service: RunningService) -> None:
    service.client.record_all(past("horror", 3, 4, 5))
    service.features.broken = True
    degraded = service.client.recommend("u", k=5)
    assert (categories(degraded), degraded.basis) == ({"Horror"}, "history")
    assert [(each.stage, each.fallback) for each in degraded.degraded] == [("history", "interaction_log")]
    service.features.broken = False
    assert service.client.recommend("u", k=5).degraded == []


def test_the_request_history_or_the_trend_is_used_without_store_and_log(
    service: RunningService,
) -> None:
    service.features.broken = service.log.broken = True
    answer = service.client.recommend("u", k=5, history=["horror-1", "horror-2"])
    assert (categories(answer), answer.basis, len(answer.degraded)) == ({"Horror"}, "request_history", 2)
    assert "secret" not in str(answer.degraded)
    assert service.client.recommend("u", k=5).basis == "trending"
    with pytest.raises(Unavailable, match="database is locked"):
        service.client.record("u", "comedy-1")
    service.log.broken = service.features.broken = False
    service.client.record("u", "comedy-1")
    assert service.client.recommend("u", k=5).degraded == []


def test_recommender_answers_from_the_request_history_when_store_and_log_hang(tmp_path: Path) -> None:
    with running(tmp_path, history_budget_ms=100) as service:
        service.features.gate.clear()
        service.log.gate.clear()
        answer = service.client.recommend("u", k=5, history=["horror-1"])
        assert (answer.basis, categories(answer)) == ("request_history", {"Horror"})
        assert {each.reason for each in answer.degraded} == {
            "the feature store did not answer in time",
            "the interaction log did not answer in time",
        }


def test_trending_items_are_answered_under_a_too_short_deadline(tmp_path: Path) -> None:
    with running(tmp_path, deadline_ms=400, ranking_reserve_ms=1000) as service:
        answer = service.client.recommend("u", k=3, history=["horror-1"])
        assert [each.stage for each in answer.degraded][-1] == "ranking"
        assert (answer.basis, len(answer.recommendations)) == ("trending", 3)
