"""What a user dislikes: how strongly, what takes it back, and what it lowers."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from feature_repo.feedback import FeedbackPolicy
from feature_repo.rating_scale import RatingScale
from serving.ranking import sparse_scores
from serving.ranking.dislikes import DECAY, KIND_SLOPE, Dislikes
from serving.ranking.signed_history import SignedHistory
from serving.release.arrays import FloatArray, Indexes
from serving.release.ranking_data import Ranking
from tests.serving.rankings import ranking

COUNT = 24
ALL = np.arange(COUNT, dtype=np.int32)

# Items 0, 4, 8, … are dramas, 1, 5, … comedies, 2, 6, … horror; every third item has two categories.
COMEDIES = [1, 5, 13]
HORROR = [2, 10, 14]


def world(similar: bool = False) -> Ranking:
    """Return a release; with `similar`, item i + 1 is the nearest of item i, and i + 2 half as near."""
    cosine = np.zeros((COUNT, COUNT), np.float32)
    if similar:
        cosine = 0.2 * np.eye(COUNT, k=1, dtype=np.float32) + 0.1 * np.eye(COUNT, k=2, dtype=np.float32)
    release = ranking(COUNT)
    return replace(release, filters=replace(release.filters, item_cosine=csr_array(cosine)))


def dislikes(release: Ranking, *signed: tuple[int, float]) -> Dislikes | None:
    """Return the dislikes of a history of (item, preference)."""
    items = np.array([item for item, _ in signed], np.int32)
    preferences = np.array([preference for _, preference in signed], np.float32)
    return Dislikes.of(release, items, ["dislike"] * len(signed), preferences)


def strengths(release: Ranking, *signed: tuple[int, float], items: Indexes = ALL) -> FloatArray:
    disliked = dislikes(release, *signed)
    return np.zeros(len(items), np.float32) if disliked is None else disliked.of_items(items)


def test_one_dislike_lowers_the_neighbours_of_the_item_and_no_category() -> None:
    lowered = strengths(world(similar=True), (2, -1))
    assert {item: lowered[item] for item in np.flatnonzero(lowered)} == pytest.approx({3: 1, 4: 0.5})


def test_dislikes_of_a_category_lower_all_of_it() -> None:
    lowered = strengths(world(), *((item, -1) for item in HORROR))
    expected = KIND_SLOPE * (1 + DECAY + DECAY**2 - 1)
    assert lowered[[6, 18, 22]] == pytest.approx(expected)  # item 18 is horror and action
    assert not lowered[[4, 8, 16, 5, 13, 7]].any()


def test_likes_before_the_dislikes_do_not_excuse_them_and_later_ones_take_them_back() -> None:
    liked, disliked = [(22, 1.0)] * 9, [(item, -1.0) for item in HORROR]
    assert strengths(world(), *liked, *disliked)[6] == strengths(world(), *disliked)[6] > 0
    assert strengths(world(), *disliked, *liked[:2])[6] == 0
    # The likes of another category let the dislikes fade only.
    comedies = [(item, 1.0) for item in COMEDIES]
    assert 0 < strengths(world(), *disliked, *comedies)[6] < strengths(world(), *disliked)[6]


def test_users_who_like_and_dislike_a_category_in_turn_have_no_dislike_of_it() -> None:
    in_turn = [(item, -1.0 if position % 3 == 0 else 1.0) for position, item in enumerate(HORROR * 20)]
    assert not strengths(world(), *in_turn).any()


def test_a_later_like_takes_back_the_dislike_of_a_similar_item() -> None:
    release = world(similar=True)
    assert strengths(release, (2, -1), (4, 1))[3] == pytest.approx(DECAY - 0.5)
    assert strengths(release, (4, 1), (2, -1))[3] == 1
    assert strengths(release, (2, -1), (3, 1))[3] == 0


def test_several_dislikes_lower_a_common_neighbour_without_any_category() -> None:
    release = world(similar=True)
    catalog = replace(release.catalog, categories=[[] for _ in range(COUNT)])
    lowered = strengths(replace(release, catalog=catalog), (2, -1), (3, -1))
    similarity = 0.5 * DECAY + 1
    assert lowered[4] == pytest.approx(similarity + KIND_SLOPE * (similarity - 1))


def test_a_dislike_is_forgotten_after_many_interactions() -> None:
    others = [(5, 0.0)] * 60
    assert dislikes(world(similar=True), (2, -1), *others) is None
    assert strengths(world(similar=True), (2, -1), *others[:10])[3] == pytest.approx(DECAY**10)


def test_a_hint_lowers_less_than_an_opinion() -> None:
    assert strengths(world(similar=True), (2, -0.25))[3] == pytest.approx(0.25)


def test_strengths_of_some_items_of_a_large_catalog_equal_those_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signed = [(2, -1.0), (10, -1.0), (5, 1.0), (14, -0.6)]
    whole, some = strengths(world(similar=True), *signed), np.array([3, 6, 11, 20], np.int32)
    monkeypatch.setattr(sparse_scores, "DENSE_ITEMS", 10)
    assert strengths(world(similar=True), *signed, items=some) == pytest.approx(whole[some])


def test_the_cause_is_the_most_disliked_category_or_the_most_similar_item() -> None:
    by_category = dislikes(world(), *((item, -1) for item in HORROR))
    assert by_category
    assert by_category.cause(18) == ("Horror", [0, 1, 2])
    by_similarity = dislikes(world(similar=True), (2, -1), (16, -1))
    assert by_similarity
    assert by_similarity.cause(4) == ("", [1])


def signed(
    *events: tuple[int, str, float], older: int = 0, disliked_before: tuple[int, ...] = ()
) -> SignedHistory:
    """Return a history of (item, event type, value), -1 for an item that the release does not contain.

    The first `older` events are beyond the history.
    """
    release = world()
    policy = FeedbackPolicy(ratings=RatingScale(1, 5, 3.5, 1.1))
    release = replace(release, filters=replace(release.filters, feedback=policy))
    items, event_types, values = zip(*events, strict=True)
    timestamps = np.arange(len(items), dtype=np.int64)
    before = np.array(disliked_before, np.int32)
    return SignedHistory.of(
        release, np.array(items, np.int32), timestamps, event_types, values, len(items) - older, before
    )


def test_positive_interactions_vote_by_their_weight_and_negative_ones_do_not() -> None:
    nan = float("nan")
    history = signed((1, "view", nan), (-1, "rate", 5), (2, "dislike", nan), (3, "rate", 1), (4, "rate", 5))
    assert history.items.tolist() == [1, 4]
    assert history.timestamps.tolist() == [0, 4]
    assert history.event_types == ["view", "rate"]
    assert history.votes is None
    assert history.disliked.tolist() == [2, 3]
    neutral = signed((1, "view", nan), (4, "rate", 3))
    assert neutral.votes is not None
    assert neutral.votes.tolist() == [1, 0.5]
    assert neutral.dislikes is None


def test_an_item_is_disliked_until_it_is_liked() -> None:
    nan = float("nan")
    assert signed((1, "view", nan), (1, "dislike", nan)).disliked.tolist() == [1]
    liked_again = signed((1, "dislike", nan), (1, "like", nan))
    assert not len(liked_again.disliked)
    assert liked_again.items.tolist() == [1]
    assert not len(signed((1, "skip", nan)).disliked)


@pytest.mark.parametrize("event", [("like", np.nan), ("rate", 5.0), ("rate", 3.0), ("undislike", np.nan)])
def test_an_item_that_was_disliked_before_the_history_is_disliked_until_a_new_opinion(
    event: tuple[str, float],
) -> None:
    nan = float("nan")
    looked_at = signed((7, "view", nan), (1, "view", nan), disliked_before=(7, 9))
    assert sorted(looked_at.disliked.tolist()) == [7, 9]
    assert looked_at.items.tolist() == [1]  # looking at a disliked item is no vote for it
    assert signed((1, "view", nan), (7, *event), disliked_before=(7, 9)).disliked.tolist() == [9]
    again = signed((7, *event), (7, "dislike", nan), disliked_before=(7,))
    assert again.disliked.tolist() == [7]


def test_interactions_beyond_the_history_say_what_is_disliked_and_nothing_else() -> None:
    nan = float("nan")
    events = ((2, "dislike", nan), (3, "dislike", nan), (5, "view", nan), (1, "view", nan), (3, "like", nan))
    history = signed(*events, older=3)
    assert history.disliked.tolist() == [2]
    assert history.items.tolist() == [1, 3]
    assert history.dislikes is None
