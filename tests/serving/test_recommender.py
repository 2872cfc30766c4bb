"""The service as a client meets it: what is answered, from what, and what happens when parts fail."""

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
from serving.errors import Unavailable
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.signals import Query
from tests.patience import HANG_S, wait_until
from tests.serving.planted import COUNT, PER_TASTE
from tests.serving.service import FakeSnapshot, Running, running

DAY_US = 86_400_000_000


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path) as service:
        yield service


def past(taste: str, *numbers: int, user: str = "u", start: int = DAY_US) -> list[Interaction]:
    items = [f"{taste}-{number}" for number in numbers]
    return [
        Interaction(f"{user}-{item}", user, item, "rate", start + place, 5.0)
        for place, item in enumerate(items)
    ]


def tastes(answer: Answer) -> set[str]:
    return {category for item in answer.recommendations for category in item.categories}


def test_the_answer_follows_three_interactions_of_another_taste(service: Running) -> None:
    service.features.snapshots["u"] = FakeSnapshot(History().extend(past("comedy", *range(10))), as_of=DAY_US)
    before = service.client.recommend("u", k=5)
    assert (tastes(before), before.basis, before.degraded) == ({"Comedy"}, "history", [])
    for number in (7, 8, 9):
        service.client.record("u", f"horror-{number}", event_type="like")
    after = service.client.recommend("u", k=5)
    assert tastes(after) == {"Horror"}
    assert after.recommendations[0].reason == "often follows Horror 9 of 1"


def test_what_needs_no_interest_is_worked_out_while_the_model_is_asked(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened, answers, prepare = list[str](), service.model.interest, LoadedRelease.prepare
    is_prepared = asyncio.Event()

    async def slow(*asked: Any) -> NDArray[np.float32]:
        happened.append("asked")
        await asyncio.wait_for(is_prepared.wait(), HANG_S)
        happened.append("answered")
        return await answers(*asked)

    def prepared(release: LoadedRelease, query: Query) -> None:
        happened.append("prepared")
        prepare(release, query)
        is_prepared.set()

    monkeypatch.setattr(service.model, "interest", slow)
    monkeypatch.setattr(LoadedRelease, "prepare", prepared)
    service.features.snapshots["u"] = FakeSnapshot(History().extend(past("comedy", 3, 4, 5)), as_of=DAY_US)
    first = service.client.recommend("u", k=5)
    assert happened == ["asked", "prepared", "answered"]
    assert service.client.recommend("u", k=5).recommendations == first.recommendations
    assert len(happened) == 3


def test_who_has_recorded_finds_the_next_answer_ready(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.prefetch._LATE_S", HANG_S)
    service.client.record_all(past("comedy", 3, 4, 5))
    wait_until(lambda: len(service.model.asked) == 1)
    answer = service.client.recommend("u", k=5)
    assert (tastes(answer), answer.degraded, len(service.model.asked)) == ({"Comedy"}, [], 1)
    service.model.down = True  # a part that fails ahead of an answer fails that answer only where it must
    service.client.record_all(past("horror", 1, 2, 3, start=2 * DAY_US))
    assert [cut.stage for cut in service.client.recommend("u", k=5).degraded] == ["interest"]
    service.model.down = False
    assert tastes(service.client.recommend("u", k=5)) == {"Horror"}


def test_seen_items_are_left_out_unless_asked_for(service: Running) -> None:
    service.client.record_all(past("comedy", 3, 4, 5))
    unseen = {item.item_id for item in service.client.recommend("u", k=COUNT).recommendations}
    assert len(unseen) == COUNT - 3
    seen_too = service.client.recommend("u", k=COUNT, include_seen=True)
    assert len(seen_too.recommendations) == COUNT


def test_items_seen_before_the_history_s_window_are_left_out_too(service: Running) -> None:
    seen_before = ["comedy-3", "comedy-4", "no longer in the catalog"]
    snapshot = FakeSnapshot(History().extend(past("comedy", 5)), as_of=DAY_US, seen_before=seen_before)
    service.features.snapshots["u"] = snapshot
    answer = service.client.recommend("u", k=COUNT)
    answered = {item.item_id for item in answer.recommendations}
    assert len(answered) == COUNT - 3
    assert not answered & {"comedy-3", "comedy-4", "comedy-5"}
    assert len(service.client.recommend("u", k=COUNT, include_seen=True).recommendations) == COUNT
    # A history of its own in the request takes nothing back.
    carried = service.client.recommend("u", k=COUNT, history=["horror-1"] * 3)
    assert {item.item_id for item in carried.recommendations} == answered - {"horror-1"}


def test_a_release_that_learned_from_repeats_answers_seen_items_again(tmp_path: Path) -> None:
    with running(tmp_path, seen_items="keep") as service:
        service.client.record_all(past("comedy", 3, 4, 5))
        assert len(service.client.recommend("u", k=COUNT).recommendations) == COUNT


def test_k_larger_than_the_catalog_gives_every_item_once(service: Running) -> None:
    items = [item.item_id for item in service.client.recommend("u", k=1000).recommendations]
    assert len(items) == len(set(items)) == COUNT


def test_scores_fall_and_the_shares_of_an_explanation_sum_to_them(service: Running) -> None:
    service.client.record_all(past("comedy", 3, 4, 5))
    answer = service.client.recommend("u", k=8, explain=True)
    scores = [item.score for item in answer.recommendations]
    assert scores == sorted(scores, reverse=True)
    for item in answer.recommendations:
        assert sum(item.contributions.values()) == pytest.approx(item.score, abs=1e-4)
        assert set(item.because_item_ids) <= {"comedy-3", "comedy-4", "comedy-5"}
        assert item.because_item_ids
        assert item.sources
        assert item.reason


def test_rules_of_the_request_hold_and_still_fill_k(service: Running) -> None:
    service.client.record_all(past("comedy", 1, 2, 3))
    horror = service.client.recommend("u", k=PER_TASTE, categories=["Horror"])
    assert (tastes(horror), len(horror.recommendations)) == ({"Horror"}, PER_TASTE)
    allowed = service.client.recommend("u", allow_item_ids=["horror-1", "comedy-9", "unheard-of"])
    assert [item.item_id for item in allowed.recommendations] == ["comedy-9", "horror-1"]
    unheard = service.client.recommend("u", allow_item_ids=["unheard-of"])
    assert unheard.recommendations == []
    without = service.client.recommend("u", k=COUNT, exclude_item_ids=["comedy-9", "unheard-of"])
    assert "comedy-9" not in {item.item_id for item in without.recommendations}
    assert service.client.recommend("u", domain="music").recommendations == []


def test_the_ladder_of_a_cold_start_is_named(service: Running) -> None:
    service.features.snapshots["profiled"] = FakeSnapshot(profile={"age": 30.0, "likes": "Western|Horror"})
    trending = service.client.recommend("unknown", k=2)
    assert (trending.basis, trending.recommendations[0].reason) == ("trending", "trending")
    assert [item.item_id for item in trending.recommendations] == ["comedy-19", "horror-19"]
    service.features.snapshots["woman"] = FakeSnapshot(profile={"gender": "F", "age": 30.0})
    alike = service.client.recommend("woman", k=3)
    assert (alike.basis, alike.recommendations[0].reason) == (
        "segment_trending",
        "trending among people like you",
    )
    assert [item.item_id for item in alike.recommendations] == ["comedy-0", "comedy-1", "comedy-2"]
    profile = service.client.recommend("profiled", k=3)
    assert (profile.basis, tastes(profile)) == ("profile", {"Horror"})
    assert profile.recommendations[0].reason == "Horror, as your profile says"
    below = service.client.recommend("profiled", k=PER_TASTE + 1).recommendations[PER_TASTE]
    assert (below.categories, below.reason) == (["Comedy"], "trending")
    carried = service.client.recommend("unknown", k=3, history=["horror-1", "horror-2"])
    assert (carried.basis, tastes(carried)) == ("request_history", {"Horror"})
    anonymous = service.client.recommend("", k=3, history=["horror-1", "horror-2"])
    assert anonymous.recommendations == carried.recommendations


def test_a_request_that_carries_what_was_recorded_counts_it_once(service: Running) -> None:
    interactions = past("comedy", 3, 4, 5)
    service.client.record_all(interactions)
    known = service.client.recommend("u", k=5)
    assert service.client.recommend("u", k=5, history=interactions).recommendations == known.recommendations


def test_an_item_that_no_release_knows_is_recorded_and_named(service: Running) -> None:
    fresh = Interaction("1", "u", "premiere", "view", DAY_US)
    recorded = service.client.record_all([fresh, *past("comedy", 3)])
    assert (recorded.recorded, recorded.unknown_item_ids) == (2, ["premiere"])
    assert service.client.recommend("u", k=3).basis == "history"
    assert service.client.recommend("other", k=3, history=["premiere"]).basis == "trending"


def test_a_repeated_interaction_id_is_not_recorded_again(service: Running) -> None:
    first = service.client.record("u", "comedy-3", interaction_id="mine")
    assert first == "mine"
    again = Interaction("mine", "u", "horror-1", "view", 1)
    assert service.client.record_all([again, *past("comedy", 4)]).recorded == 1
    assert tastes(service.client.recommend("u", k=5)) == {"Comedy"}


def test_interests_show_the_turn_and_where_it_came_from(service: Running) -> None:
    service.client.record_all(past("comedy", *range(12)) + past("horror", *range(6), start=2 * DAY_US))
    interests = service.client.interests("u")
    assert [interest.category for interest in interests.interests] == ["Horror", "Comedy"]
    weights = {interest.category: interest for interest in interests.interests}
    assert weights["Horror"].long_term_weight == pytest.approx(1 / 3)
    assert interests.shift == pytest.approx(weights["Horror"].weight - 1 / 3)
    assert len(service.client.interests("u", k=1).interests) == 1
    assert service.client.interests("unknown").interests == []


def test_without_the_model_the_filters_answer_until_it_is_back(service: Running) -> None:
    service.client.record_all(past("horror", 3, 4, 5))
    service.model.down = True
    degraded = service.client.recommend("u", k=5)
    assert tastes(degraded) == {"Horror"}
    assert [(cut.stage, cut.fallback) for cut in degraded.degraded] == [("interest", "collaborative_filters")]
    service.model.down = False
    assert service.client.recommend("u", k=5).degraded == []


def test_without_the_feature_store_the_log_answers_until_it_is_back(service: Running) -> None:
    service.client.record_all(past("horror", 3, 4, 5))
    service.features.broken = True
    degraded = service.client.recommend("u", k=5)
    assert (tastes(degraded), degraded.basis) == ({"Horror"}, "history")
    assert [(cut.stage, cut.fallback) for cut in degraded.degraded] == [("history", "interaction_log")]
    service.features.broken = False
    assert service.client.recommend("u", k=5).degraded == []


def test_with_log_and_store_gone_the_request_s_own_history_answers_then_what_is_trending(
    service: Running,
) -> None:
    service.features.broken = service.log.broken = True
    carried = service.client.recommend("u", k=5, history=["horror-1", "horror-2"])
    assert (tastes(carried), carried.basis, len(carried.degraded)) == ({"Horror"}, "request_history", 2)
    assert "secret" not in str(carried.degraded)
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
        assert (answer.basis, tastes(answer)) == ("request_history", {"Horror"})
        assert {cut.reason for cut in answer.degraded} == {
            "the feature store did not answer in time",
            "the interaction log did not answer in time",
        }


def test_a_deadline_too_short_for_anything_is_answered_with_what_is_trending(tmp_path: Path) -> None:
    with running(tmp_path, deadline_ms=400, ranking_reserve_ms=1000) as service:
        answer = service.client.recommend("u", k=3, history=["horror-1"])
        assert [cut.stage for cut in answer.degraded][-1] == "ranking"
        assert (answer.basis, len(answer.recommendations)) == ("trending", 3)
