"""User segments: which there are, their trends and their priors."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from components.errors import StepError
from components.train_collaborative_filters.popularity import HOUR
from components.train_collaborative_filters.user_segments import MAX_VALUES, MIN_USERS, PRIORS, segments
from serving.release.user_segments import Segment, Segments
from tests.components.train_collaborative_filters.planted import interactions

USERS = 60
ALL = np.arange(3, dtype=np.int32)


def fitted(**attributes: Sequence[object]) -> Segments | None:
    """Fit segments of 60 users; even users choose item 0, odd users item 1."""
    world = replace(
        interactions([[user % 2] for user in range(USERS)], item_count=3),
        user_ids=[str(user) for user in range(USERS)],
    )
    ids = [str(user) for user in reversed(range(USERS))]  # in another order than the interactions
    columns = {name: list(reversed(values)) for name, values in attributes.items()}
    return segments(world, pa.table({"user_id": ids, **columns}), half_life=10_000 * HOUR)


def bounds(actual: Segments | None) -> list[tuple[str, str | None, float | None, float | None]]:
    assert actual is not None
    return [(each.attribute, each.value, each.low, each.high) for each in actual.segments]


def test_each_value_of_a_text_attribute_is_a_segment_with_a_trend() -> None:
    actual = fitted(gender=["F" if user % 2 else "M" for user in range(USERS)])
    assert actual is not None
    assert bounds(actual) == [("gender", "F", None, None), ("gender", "M", None, None)]
    np.testing.assert_allclose(actual.trend.toarray(), [[0, 30, 0], [30, 0, 0]], rtol=1e-3)
    assert [round(each.interactions) for each in actual.segments] == [30, 30]


def test_a_numeric_attribute_is_split_into_quantiles() -> None:
    ages = [float(20 + user) for user in range(USERS)]
    assert fitted(age=ages) is None  # quantiles of 12 users are too small
    both = bounds(fitted(age=[18.0] * 30 + [40.0] * 30))
    assert both == [("age", None, 18.0, 40.0), ("age", None, 40.0, None)]


def test_small_segments_and_attributes_with_many_values_are_left_out() -> None:
    rare = ["common"] * (USERS - MIN_USERS + 1) + ["rare"] * (MIN_USERS - 1)
    assert bounds(fitted(job=rare)) == [("job", "common", None, None)]
    assert fitted(zip_code=[f"{user % (MAX_VALUES + 1)}" for user in range(USERS)]) is None
    assert fitted(nothing=[None] * USERS) is None
    assert fitted() is None


def test_a_predictive_attribute_has_a_small_prior_and_a_random_one_a_large_prior() -> None:
    generator = np.random.default_rng(0)
    sides = generator.integers(0, 2, 400)
    chosen = [20 * side + generator.integers(0, 20, 3) for side in sides]  # each side has 20 items of its own
    world = replace(interactions(chosen, item_count=40), user_ids=[str(user) for user in range(400)])
    predictive = ["left" if side else "right" for side in sides]
    random = generator.choice(["heads", "tails"], 400).tolist()
    users = pa.table({"user_id": world.user_ids, "predictive": predictive, "random": random})
    actual = segments(world, users, half_life=10_000 * HOUR)
    assert actual is not None
    priors = {segment.attribute: segment.prior for segment in actual.segments}
    assert priors["predictive"] == PRIORS[0]
    assert priors["random"] >= PRIORS[3]


def test_users_without_user_id_raise() -> None:
    world = interactions([[0]], item_count=1)
    with pytest.raises(StepError, match="expected user_id"):
        segments(world, pa.table({"name": ["a"]}), HOUR)


def test_a_segment_holds_matching_profiles() -> None:
    young = Segment("age", 1, 1, high=30.0)
    assert young.contains({"age": 29.9})
    assert not young.contains({"age": 30.0})
    assert not young.contains({"age": "29"})
    assert not young.contains({"age": float("nan")})
    assert not young.contains({})
    assert Segment("gender", 1, 1, value="F").contains({"gender": "F", "age": 3.0})
    assert not Segment("gender", 1, 1, value="F").contains({"gender": "M"})


def test_shares_by_hand_after_saving_and_loading(tmp_path: Path) -> None:
    actual = fitted(gender=["F" if user % 2 else "M" for user in range(USERS)], all=["yes"] * USERS)
    assert actual is not None
    actual.save(tmp_path / "segments")
    loaded, trend = Segments.load(tmp_path / "segments"), np.array([30, 30, 0], np.float32)
    overall = np.array([30.5, 30.5, 0.5]) / 61.5
    gender_prior, all_prior = {segment.attribute: segment.prior for segment in loaded.segments}.values()
    women = (np.array([0, 30, 0]) + gender_prior * overall) / (30 + gender_prior)
    all_users = (np.array([30, 30, 0]) + all_prior * overall) / (60 + all_prior)
    shares = loaded.shares({"gender": "F", "all": "yes"}, trend, ALL)
    assert shares is not None
    np.testing.assert_allclose(shares, np.sqrt(women * all_users), rtol=1e-3)
    np.testing.assert_array_equal(
        loaded.shares({"gender": "F", "all": "yes"}, trend, np.array([2, 1], np.int32)), shares[[2, 1]]
    )
    assert loaded.shares({"gender": "unknown"}, trend, ALL) is None
