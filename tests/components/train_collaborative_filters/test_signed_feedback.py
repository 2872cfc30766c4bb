"""Filters of signed feedback: what votes, with which weight, and in which order."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.errors import StepError
from components.train_collaborative_filters.fitting import fit
from components.train_collaborative_filters.interactions import Interactions
from components.train_collaborative_filters.reading import read
from components.train_collaborative_filters.signed_interactions import SignedInteractions
from feature_repo.event_types import Kind
from feature_repo.feedback import NEUTRAL_VOTE, FeedbackPolicy
from feature_repo.rating_scale import RatingScale
from feature_repo.table_schemas import ITEMS, TRAINING_SET
from serving.ranking import source_scores
from serving.release.collaborative_filters import CollaborativeFilters

DAY = 86_400_000_000
ITEM_COUNT = 30
STARS = FeedbackPolicy(ratings=RatingScale(low=1, high=5, mean=3.5, deviation=1.2))


@dataclass(frozen=True)
class Event:
    user: int
    item: int
    event_type: str
    day: int
    value: float = float("nan")


def write(directory: Path, events: Sequence[Event]) -> tuple[Path, Path]:
    """Write a training set with the events of each user and day in the given order, and the items."""
    directory.mkdir(exist_ok=True)
    rows: list[dict[str, Any]] = []
    for user in dict.fromkeys(event.user for event in events):
        own = sorted((event for event in events if event.user == user), key=lambda event: event.day)
        for day in range(0, 1 + max(event.day for event in own), 10):
            part = [event for event in own if day <= event.day < day + 10]
            row = {"user_id": f"user-{user:03}", "cutoff": (day + 10) * DAY, "split": "train"}
            columns = {
                "item_ids": [f"item-{event.item:02}" for event in part],
                "event_types": [event.event_type for event in part],
                "values": [event.value for event in part],
                "timestamps": [event.day * DAY for event in part],
            }
            rows.append(row | columns)
    training_set, items = directory / "training_set.parquet", directory / "items.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=TRAINING_SET), training_set)
    catalog = [{"item_id": f"item-{item:02}", "categories": []} for item in range(ITEM_COUNT)]
    pq.write_table(pa.Table.from_pylist(catalog, schema=ITEMS), items)
    return training_set, items


def signed(directory: Path, events: Sequence[Event], policy: FeedbackPolicy) -> SignedInteractions:
    return read(*write(directory, events), "train", policy)


def files(directory: Path, events: Sequence[Event], policy: FeedbackPolicy) -> dict[str, bytes]:
    """Return the contents of all files of the fitted filters."""
    training_set, items = write(directory, events)
    users = directory / "users.parquet"
    ids = [f"user-{user:03}" for user in range(60)]
    pq.write_table(pa.table({"user_id": ids, "half": [f"{number % 2}" for number in range(60)]}), users)
    fit(training_set, items, "train", directory / "filters", policy, users=users)
    root = directory / "filters"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def pairs(interactions: Interactions) -> list[tuple[int, int, float]]:
    columns = (interactions.users.tolist(), interactions.items.tolist(), interactions.weights.tolist())
    return sorted(zip(*columns, strict=True))


def random_events(event_types: Sequence[str], rated: bool = False) -> list[Event]:
    """Return events of 60 users on 20 days, of which each has several."""
    generator = np.random.default_rng(4)
    return [
        Event(
            user=int(user),
            item=int(generator.integers(ITEM_COUNT)),
            event_type="rate" if rated else str(generator.choice(event_types)),
            day=int(generator.integers(20)),
            value=float(generator.integers(1, 6)) if rated else float("nan"),
        )
        for user in np.repeat(np.arange(60), 40)
    ]


@pytest.mark.parametrize("rated", [False, True])
def test_fitted_files_do_not_depend_on_the_order_of_the_rows(tmp_path: Path, rated: bool) -> None:
    events = random_events(["view", "purchase", "return", "dislike", "like", "skip", "pause"], rated)
    order = np.random.default_rng(9).permutation(len(events)).tolist()
    expected = files(tmp_path / "sorted", events, STARS)
    assert files(tmp_path / "shuffled", [events[position] for position in order], STARS) == expected
    assert "segments/segments.json" in expected


def test_negative_and_cancelled_interactions_vote_for_nothing(tmp_path: Path) -> None:
    views = random_events(["view"])
    bought = [Event(user, 3, event_type, 5) for user in range(40) for event_type in ("return", "purchase")]
    disliked = [Event(user, item, "dislike", 21) for user in range(60) for item in (0, 1)]
    hints = [Event(user, user % ITEM_COUNT, "skip", 7) for user in range(60)]
    # A dislike takes back the views of its item; so the set without it lacks them too.
    kept = [view for view in views if view.item not in (0, 1)]
    actual = files(tmp_path / "with", [*views, *bought, *hints, *disliked], FeedbackPolicy())
    expected = files(tmp_path / "without", kept, FeedbackPolicy())
    different = {name for name in expected if actual[name] != expected[name]}
    assert actual.keys() == expected.keys()
    assert different == {"als.npy"}


def test_with_all_positive_every_interaction_counts_as_a_view(tmp_path: Path) -> None:
    events = random_events([], rated=True)
    actual = files(tmp_path / "rated", events, replace(STARS, all_positive=True))
    expected = files(tmp_path / "viewed", [replace(event, event_type="view") for event in events], STARS)
    assert {name for name in expected if actual[name] != expected[name]} == {"feedback.json"}


def test_a_step_orders_a_purchase_before_its_return_and_a_like_before_a_dislike(tmp_path: Path) -> None:
    events = [Event(0, 1, "cancel", 2), Event(0, 1, "purchase", 2), Event(0, 0, "view", 1)]
    assert pairs(signed(tmp_path, events, FeedbackPolicy()).votes) == [(0, 0, 1)]
    events = [Event(0, 1, "dislike", 2), Event(0, 1, "like", 2), Event(0, 0, "view", 1)]
    actual = signed(tmp_path, events, FeedbackPolicy())
    assert pairs(actual.votes) == [(0, 0, 1)]
    assert pairs(actual.dislikes) == [(0, 1, 1)]


def test_ratings_vote_by_sign_and_weigh_by_value(tmp_path: Path) -> None:
    events = [Event(0, stars, "rate", stars, value=stars) for stars in range(1, 6)]
    actual = signed(tmp_path, events, STARS)
    assert pairs(actual.votes) == [(0, 3, NEUTRAL_VOTE), (0, 4, 1), (0, 5, 1)]
    assert actual.ratings.items.tolist() == [3, 4, 5]
    np.testing.assert_allclose(actual.ratings.weights, [0.6, 0.8, 1])
    assert [item for _, item, _ in pairs(actual.dislikes)] == [1, 2]
    assert actual.dislikes.weights.max() == 1


def test_only_the_ratios_of_weights_matter(tmp_path: Path) -> None:
    events = random_events(["view", "purchase"])
    small, large = (
        signed(tmp_path, events, FeedbackPolicy(weights={"view": view, "purchase": purchase})).votes
        for view, purchase in ((1, 3), (20, 60))
    )
    np.testing.assert_allclose(small.weights, large.weights, rtol=1e-6)
    assert small.weights.mean() == pytest.approx(1)
    assert small.weights.max() == pytest.approx(3 * small.weights.min())


def test_user_cosine_is_the_formula_of_ratings(tmp_path: Path) -> None:
    events = random_events([], rated=True)
    fit(*write(tmp_path, events), "train", tmp_path / "filters", STARS)
    filters = CollaborativeFilters.load(tmp_path / "filters")
    ratings = np.zeros((60, ITEM_COUNT))
    for user, item, rating in pairs(signed(tmp_path, events, STARS).ratings):
        ratings[user, item] = max(rating, ratings[user, item])
    history = np.array([4, 11, 7], np.int32)
    similarity = ratings[:, history] @ source_scores.exponential_weights(3)
    similarity /= np.linalg.norm(ratings, axis=1)
    nearest = np.argsort(-similarity)[: source_scores.USER_NEIGHBOURS]
    expected = similarity[nearest] @ ratings[nearest] / similarity[nearest].sum()
    actual = source_scores.user_cosine(filters, history)
    np.testing.assert_allclose(actual.at(np.arange(ITEM_COUNT, dtype=np.int32)), expected, rtol=1e-4)


def test_the_next_choices_of_a_sequence_are_of_later_steps(tmp_path: Path) -> None:
    events = [Event(user, item, "view", item // 3) for user in range(3) for item in range(9)]
    fit(*write(tmp_path, events), "train", tmp_path / "filters", FeedbackPolicy())
    sequences = CollaborativeFilters.load(tmp_path / "filters").user_sequences
    assert sequences is not None
    for item in range(9):
        items, _ = sequences.next_choices(np.array([item], np.int32), np.ones(1, np.float32), 0)
        first = 3 * (item // 3 + 1)
        assert (items >= first).all()
        assert set(items[:3].ravel().tolist()) == ({first, first + 1, first + 2} if first < 9 else {30})


def test_a_part_of_a_large_step_is_a_sample_of_it(tmp_path: Path) -> None:
    events = [Event(user, item, "view", 0) for user in range(60) for item in range(ITEM_COUNT)]
    newest = signed(tmp_path, events, FeedbackPolicy()).votes.newest(10)
    counts = np.bincount(newest.items, minlength=ITEM_COUNT)
    assert counts.sum() == 600
    assert counts.min() > 5
    assert counts.max() < 40


def test_a_split_without_a_positive_interaction_raises(tmp_path: Path) -> None:
    events = [Event(0, 1, "purchase", 1), Event(0, 2, "dislike", 1)]
    policy = FeedbackPolicy(kinds={"purchase": Kind.NEUTRAL})
    with pytest.raises(StepError, match=r"0 positive, 1 neutral, 1 negative.*--positive"):
        signed(tmp_path, events, policy)
