"""Preferences: the sign and strength of interactions."""

import itertools
import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_repo.event_types import KNOWN, Kind, canonical_event_type
from feature_repo.feedback import NEUTRAL_VOTE, FeedbackPolicy
from feature_repo.rating_scale import RatingScale


def learned(values: list[float], like_from: float | None = None) -> RatingScale | None:
    return RatingScale.learn(*np.unique(np.array(values, float), return_counts=True), like_from)


FIVE_STARS = learned([1, 2, 3, 3, 4, 4, 4, 5, 5])
POLICY = FeedbackPolicy(ratings=FIVE_STARS)

# (item, event type, value) of one user, oldest first.
Event = tuple[str, str, float]


def preferences(*events: Event, policy: FeedbackPolicy = POLICY) -> list[float]:
    items, types, values = zip(*events, strict=True)
    found = policy.preferences(items, types, values, np.arange(len(items)))
    return [round(float(value), 2) for value in found]


def votes(*events: Event, policy: FeedbackPolicy = POLICY) -> list[float]:
    items, types, values = zip(*events, strict=True)
    return policy.preferences_and_votes(items, types, values, np.arange(len(items)))[1].tolist()


def event(event_type: str, item: str = "a", value: float = math.nan) -> Event:
    return item, event_type, value


def test_each_event_type_has_the_sign_of_its_kind() -> None:
    types = ["view", "purchase", "dislike", "skip", "return", "impression", "made_up"]
    events = [event(event_type, item=event_type) for event_type in types]
    assert preferences(*events) == [1, 1, -1, -0.25, 0, 0, 0]


def test_the_policy_overrules_the_known_event_types() -> None:
    policy = FeedbackPolicy({"return": Kind.NEGATIVE, "view": Kind.NEUTRAL}, {"purchase": 3.0})
    events = event("return", "a"), event("view", "b"), event("purchase", "c")
    assert preferences(*events, policy=policy) == [-1, 0, 3]


def test_ratings_are_positive_neutral_or_negative() -> None:
    ratings = preferences(*(event("rate", item=str(stars), value=stars) for stars in (1, 2, 3, 4, 5)))
    assert ratings[0] == -1
    assert -1 < ratings[1] <= -0.5
    assert ratings[2:] == [0, 1, 1]


def test_liking_begins_at_the_users_own_mean() -> None:
    strict = [event("rate", item=str(number), value=2 if number % 3 else 1) for number in range(30)]
    assert set(preferences(*strict)[1:3]) == {1.0}
    generous = [event("rate", item=str(number), value=5 if number % 3 else 3) for number in range(30)]
    assert preferences(*generous)[0] == 0


@pytest.mark.parametrize("number", [1, 5, 100])
def test_the_lowest_rating_is_negative_for_a_user_who_gives_no_other(number: int) -> None:
    events = [event("rate", item=str(item), value=1) for item in range(number)]
    assert preferences(*events) == [-1] * number


def test_each_user_of_a_batch_has_an_own_mean_and_own_items() -> None:
    users = [[(7, "rate", 5.0), (8, "dislike", math.nan)], [], [(8, "like", math.nan), (7, "rate", 1.0)]]
    items, types, values = zip(*(row for user in users for row in user), strict=True)
    offsets = np.array([0, 2, 2, 4])
    together = POLICY.preferences(np.array(items), types, values, np.arange(4), offsets)
    alone = [preferences(*(event(t, str(i), v) for i, t, v in user)) for user in users if user]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=0.01)


def test_a_told_threshold_holds_for_every_user() -> None:
    policy = FeedbackPolicy(ratings=learned([1, 2, 3, 4, 5], like_from=3))
    events = [event("rate", item=str(stars), value=stars) for stars in (1, 2, 3, 4, 5)]
    assert [np.sign(value) for value in preferences(*events, policy=policy)] == [-1, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("values", "signs"),
    [
        ([0, 1, 1, 0], [-1, 1]),
        ([-1, 1], [-1, 1]),
        ([1, 1, 1], [1]),
        ([0.5, 2.5, 3, 3.5, 4, 5], [-1, 0, 0, 1, 1, 1]),
    ],
)
def test_scales_of_all_sizes_have_a_positive_and_a_negative_end(
    values: list[float], signs: list[int]
) -> None:
    policy = FeedbackPolicy(ratings=learned(values))
    distinct = sorted(set(values))
    found = [float(np.sign(preferences(event("rate", value=v), policy=policy)[0])) for v in distinct]
    assert found == signs


def test_amounts_are_no_rating_scale() -> None:
    assert learned([1, 3, 20, 450, 12_000]) is None
    assert preferences(event("rate", value=1), policy=FeedbackPolicy()) == [1]


def test_a_dislike_holds_until_the_item_is_liked() -> None:
    assert preferences(event("purchase"), event("dislike"), event("view")) == [0, -1, 0]
    assert preferences(event("dislike"), event("like")) == [0, 1]
    assert preferences(event("dislike"), event("undislike"), event("view")) == [0, 0, 1]


def test_a_skip_takes_back_no_opinion() -> None:
    assert preferences(event("play"), event("like"), event("skip")) == [1, 1, -0.25]


def test_the_last_rating_of_an_item_counts() -> None:
    assert preferences(event("rate", value=5), event("rate", value=3)) == [0, 0]
    assert preferences(event("rate", value=1), event("rate", value=5)) == [0, 1]


def test_a_cancellation_cancels_one_purchase_of_the_item() -> None:
    assert preferences(event("purchase"), event("purchase"), event("return")) == [1, 0, 0]
    assert preferences(event("purchase", "a"), event("return", "b")) == [1, 0]


@pytest.mark.parametrize("types", itertools.permutations(["purchase", "purchase", "return", "view"]))
def test_interactions_of_one_step_have_no_order(types: tuple[str, ...]) -> None:
    found = POLICY.preferences(["a"] * 4, types, [math.nan] * 4, [7] * 4)
    assert sorted(zip(types, found.tolist(), strict=True)) in (
        [
            (
                "purchase",
                0,
            ),
            ("purchase", 1),
            ("return", 0),
            ("view", 1),
        ],
        [("purchase", 1), ("purchase", 1), ("return", 0), ("view", 0)],
    )


def test_steps_of_one_batch_keep_their_users() -> None:
    types = ["return", "purchase", "purchase", "return"]
    found = POLICY.preferences(
        np.array([5, 5, 5, 5]), types, [math.nan] * 4, [7, 7, 7, 8], np.array([0, 2, 4])
    )
    assert found.tolist() == [0, 0, 0, 0]
    found = POLICY.preferences(
        np.array([5, 5, 5, 5]), types, [math.nan] * 4, [6, 7, 7, 8], np.array([0, 2, 4])
    )
    assert found.tolist() == [0, 1, 0, 0]


def test_a_negative_amount_cancels_the_purchase_when_it_takes_back_all_of_it() -> None:
    assert preferences(event("purchase", value=10), event("purchase", value=-6)) == [1, 0]
    assert preferences(
        event("purchase", value=10), event("purchase", value=-6), event("purchase", value=-4)
    ) == [0, 0, 0]


def test_a_negative_amount_takes_back_several_purchases() -> None:
    purchases = event("purchase", value=3), event("purchase", value=5)
    assert preferences(*purchases, event("purchase", value=-8)) == [0, 0, 0]
    assert preferences(*purchases, event("purchase", value=-6)) == [1, 0, 0]
    assert preferences(*purchases, event("return")) == [1, 0, 0]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([("purchase", -6), ("purchase", 6)], [0, 0]),
        ([("purchase", -8), ("purchase", 3), ("purchase", 5)], [0, 0, 0]),
        ([("purchase", -3), ("purchase", 3), ("purchase", 5)], [0, 1, 1]),
        ([("rate", 1), ("like", math.nan)], [-1, 0]),
        ([("rate", 3), ("dislike", math.nan)], [0, -1]),
        ([("rate", 1), ("rate", 5)], [-1, 0]),
    ],
)
def test_interactions_of_one_time_are_ordered_by_their_sign(
    events: list[tuple[str, float]], expected: list[float]
) -> None:
    """Whatever the order of the ids: a date has the same amounts and ratings in every order."""
    for order in permutations(range(len(events))):
        types, values = zip(*(events[position] for position in order), strict=True)
        found = POLICY.preferences(["a"] * len(order), types, values, [7] * len(order)).tolist()
        assert [found[order.index(position)] for position in range(len(order))] == expected


def test_with_all_positive_only_exposures_count_nothing() -> None:
    policy = FeedbackPolicy(ratings=FIVE_STARS, all_positive=True)
    events = event("rate", value=1), event("dislike"), event("made_up"), event("impression")
    assert preferences(*events, policy=policy) == [1, 1, 1, 0]


def test_a_neutral_rating_casts_a_small_vote_unless_the_item_is_disliked() -> None:
    five = [event("rate", item=str(stars), value=stars) for stars in (1, 2, 3, 4, 5)]
    assert votes(*five) == [0, 0, NEUTRAL_VOTE, 1, 1]
    assert votes(*five, event("dislike", item="3")) == [0, 0, 0, 1, 1, 0]
    assert votes(*five, event("rate", item="3", value=4)) == [0, 0, NEUTRAL_VOTE, 1, 1, 1]
    assert votes(*five, policy=FeedbackPolicy(ratings=FIVE_STARS, all_positive=True)) == [1] * 5


def test_only_positive_interactions_and_neutral_ratings_vote() -> None:
    types = ("purchase", "pause", "made_up", "skip", "dislike", "impression", "return")
    assert votes(*(event(event_type, item=event_type) for event_type in types)) == [1, 0, 0, 0, 0, 0, 0]
    assert votes(event("purchase"), event("return")) == [0, 0]
    # The return cancels the rating, which was positive; so it is no neutral one.
    assert votes(event("rate", value=5), event("return")) == [0, 0]


def test_a_policy_survives_json() -> None:
    policy = FeedbackPolicy({"return": Kind.NEGATIVE}, {"purchase": 2.0}, FIVE_STARS)
    assert FeedbackPolicy.from_json(policy.to_json()) == policy


@pytest.mark.parametrize(
    ("spelling", "event_type"),
    [
        ("Impression", "impression"),
        ("not_interested", "dislike"),
        ("NotInterested", "dislike"),
        ("addtocart", "cart"),
        ("Add-To-Cart", "cart"),
        ("transaction", "purchase"),
        ("view_item", "view"),
        ("My Own Type", "My Own Type"),
    ],
)
def test_spellings_of_an_event_type_are_one(spelling: str, event_type: str) -> None:
    assert canonical_event_type(spelling) == event_type


EVENTS = st.tuples(
    st.sampled_from("abc"), st.sampled_from(sorted(KNOWN)), st.sampled_from([math.nan, -2.0, 1.0, 3.0, 5.0])
)


@settings(deadline=None)
@given(st.lists(EVENTS, min_size=1, max_size=20))
def test_an_item_is_never_liked_after_a_dislike_without_a_new_opinion(events: list[Event]) -> None:
    found = preferences(*events, event("dislike"))
    assert found[-1] == -1
    assert all(
        value <= 0
        for value, (item, _, _) in zip(found, [*events, event("dislike")], strict=True)
        if item == "a"
    )
