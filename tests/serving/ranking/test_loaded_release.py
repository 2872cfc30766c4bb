"""Tests of the cache of users that a release owns."""

import tracemalloc

import numpy as np
import pytest

from feature_repo.histories import History
from feature_repo.interaction import Interaction
from serving.ranking import loaded_release
from serving.ranking.blend_features import FEATURES
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.request import Request
from serving.release.arrays import FloatArray
from serving.release.user_sequences import UserSequences
from serving.user_history import UserHistory, UserVersion
from tests.serving.rankings import ranking

BLEND = {
    "features": ["interest", "sequence_knn"],
    "weights": [1.0, 1.0],
    "means": [0.0] * 2,
    "scales": [1.0] * 2,
}
INTEREST = np.ones(8, np.float32)


def user(*items: int, user_id: str = "u", snapshot: int = 1, disliked: int = 0) -> UserHistory:
    """Return a user whose interactions are all recorded since the snapshot; the last ones are dislikes."""
    interactions = [
        Interaction(
            f"{user_id}-{item}-{at}",
            user_id,
            f"item-{item}",
            "dislike" if at >= len(items) - disliked else "view",
            at,
        )
        for at, item in enumerate(items)
    ]
    version = UserVersion.of(snapshot, interactions)
    return UserHistory(History().extend(interactions), user_id=user_id, version=version)


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows by one with each search for neighbours."""
    calls: list[int] = []
    next_choices = UserSequences.next_choices

    def counted(*arguments: object) -> object:
        calls.append(1)
        return next_choices(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(UserSequences, "next_choices", counted)
    return calls


def scores(release: LoadedRelease, user: UserHistory, interest: FloatArray | None = INTEREST) -> list[float]:
    query = release.index(user).query(interest)
    candidates = release.retriever.retrieve(query)
    ranked = release.rank(query, candidates, Request("u", k=5))
    release.present(query, ["view"] * 20, ranked, explain=True)
    return ranked.scores.tolist()


def test_an_equal_user_version_computes_no_scores_again(searches: list[int]) -> None:
    release = LoadedRelease(ranking(40, blend=BLEND))
    searches.clear()
    first = scores(release, user(3, 4, 5))
    assert scores(release, user(3, 4, 5)) == first
    assert scores(release, user(3, 4, 5), None) != first
    assert scores(release, user(3, 4, 5), -INTEREST) != first
    assert len(searches) == 1


@pytest.mark.parametrize("changed", [user(3, 4, 5, 6), user(3, 4, 5, snapshot=2), user(3, 4, 5, user_id="v")])
def test_a_changed_user_version_computes_scores_again(changed: UserHistory, searches: list[int]) -> None:
    release = LoadedRelease(ranking(40, blend=BLEND))
    scores(release, user(3, 4, 5))
    searches.clear()
    scores(release, changed)
    assert len(searches) == 1


def test_a_user_without_a_version_is_not_cached(searches: list[int]) -> None:
    release = LoadedRelease(ranking(40, blend=BLEND))
    searches.clear()
    with_request_history = user(3, 4).with_request_history([Interaction("c", "u", "item-5", "view", 9)])
    for _ in range(2):
        scores(release, with_request_history)
    assert len(searches) == 2


def test_another_release_computes_scores_again(searches: list[int]) -> None:
    releases = [LoadedRelease(ranking(40, blend=BLEND, seed=seed)) for seed in (0, 1)]
    searches.clear()
    first, second = (scores(release, user(3, 4, 5)) for release in releases)
    assert first != second
    assert [scores(release, user(3, 4, 5)) for release in releases] == [first, second]
    assert len(searches) == 2


def test_the_least_recently_used_user_is_dropped_at_the_memory_limit(
    searches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaded_release, "max_cached_users", lambda item_count, features: 2)
    release = LoadedRelease(ranking(40, blend=BLEND))
    for user_id in "abc":
        scores(release, user(3, 4, user_id=user_id))
    searches.clear()
    for user_id in "cba":
        scores(release, user(3, 4, user_id=user_id))
    assert len(searches) == 1


def test_items_that_the_release_does_not_contain_are_left_out() -> None:
    release = LoadedRelease(ranking(40, blend=BLEND))
    indexed = release.index(UserHistory(user(3, 99, 5).history, seen_before=["item-7", "item-98"]))
    assert indexed.query(None).history.tolist() == [3, 5]
    assert indexed.seen.tolist() == [3, 5, 7]
    assert indexed.event_types == ["view", "view"]


@pytest.mark.parametrize("features", [FEATURES, ("interest", "ease", "popularity")])
@pytest.mark.parametrize("item_count", [1, 40, 1_000, 4_000])
def test_the_cached_users_take_no_more_memory_than_the_limit(
    item_count: int, features: tuple[str, ...]
) -> None:
    blend = {"features": list(features), "weights": [1.0] * len(features)}
    release = LoadedRelease(ranking(item_count, blend=blend))
    history = range(min(100, item_count))
    users = [user(*history, user_id=str(number), disliked=len(history) // 5) for number in range(20)]
    scores(release, users[0])  # allocates what all users share
    tracemalloc.start()
    for each in users[1:]:
        scores(release, each)
    bytes_per_user = tracemalloc.get_traced_memory()[0] / len(users[1:])
    tracemalloc.stop()
    limit = loaded_release.max_cached_users(item_count, frozenset(release.reranker.weights))
    assert limit >= 30
    assert limit * bytes_per_user <= loaded_release.CACHE_BYTES
