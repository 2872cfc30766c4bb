"""Each attribute's crowds have their own trend; who is alone in a value has none."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from components.errors import StepError
from components.train_collaborative_filters.popularity import HOUR
from components.train_collaborative_filters.segments import MAX_VALUES, MIN_USERS, PRIORS, segments
from serving.release.segments import Segment, Segments
from tests.components.train_collaborative_filters.planted import interactions

USERS = 60
ALL = np.arange(3, dtype=np.int32)


def fitted(**attributes: list[object]) -> Segments | None:
    """60 users, those of even number choose item 0, the others item 1."""
    world = replace(
        interactions([[user % 2] for user in range(USERS)], item_count=3),
        user_ids=[str(user) for user in range(USERS)],
    )
    ids = [str(user) for user in reversed(range(USERS))]  # in another order than the interactions
    columns = {name: list(reversed(values)) for name, values in attributes.items()}
    return segments(world, pa.table({"user_id": ids, **columns}), half_life=10_000 * HOUR)


def named(found: Segments | None) -> list[tuple[str, str | None, float | None, float | None]]:
    assert found is not None
    return [(each.attribute, each.value, each.low, each.high) for each in found.segments]


def test_each_value_of_a_text_is_a_segment_with_its_own_trend() -> None:
    found = fitted(gender=["F" if user % 2 else "M" for user in range(USERS)])
    assert found is not None
    assert named(found) == [("gender", "F", None, None), ("gender", "M", None, None)]
    np.testing.assert_allclose(found.trend.toarray(), [[0, 30, 0], [30, 0, 0]], rtol=1e-3)
    assert [round(each.interactions) for each in found.segments] == [30, 30]


def test_a_number_is_cut_into_bands_of_about_as_many_users() -> None:
    ages = [float(20 + user) for user in range(USERS)]
    assert fitted(age=ages) is None  # bands of 12 users say too little
    both = named(fitted(age=[18.0] * 30 + [40.0] * 30))
    assert both == [("age", None, 18.0, 40.0), ("age", None, 40.0, None)]


def test_a_small_crowd_and_a_text_that_tells_people_apart_are_left_out() -> None:
    rare = ["common"] * (USERS - MIN_USERS + 1) + ["rare"] * (MIN_USERS - 1)
    assert named(fitted(job=rare)) == [("job", "common", None, None)]
    assert fitted(zip_code=[f"{user % (MAX_VALUES + 1)}" for user in range(USERS)]) is None
    assert fitted(nothing=[None] * USERS) is None
    assert fitted() is None


def test_an_attribute_is_trusted_as_far_as_one_half_of_its_users_tells_the_other() -> None:
    generator = np.random.default_rng(0)
    sides = generator.integers(0, 2, 400)
    chosen = [20 * side + generator.integers(0, 20, 3) for side in sides]  # of 20 items on each side
    world = replace(interactions(chosen, item_count=40), user_ids=[str(user) for user in range(400)])
    telling = ["left" if side else "right" for side in sides]
    chance = generator.choice(["heads", "tails"], 400).tolist()
    users = pa.table({"user_id": world.user_ids, "telling": telling, "chance": chance})
    found = segments(world, users, half_life=10_000 * HOUR)
    assert found is not None
    priors = {segment.attribute: segment.prior for segment in found.segments}
    assert priors["telling"] == PRIORS[0]
    assert priors["chance"] >= PRIORS[3]


def test_users_without_ids_are_named() -> None:
    world = interactions([[0]], item_count=1)
    with pytest.raises(StepError, match="expected user_id"):
        segments(world, pa.table({"name": ["a"]}), HOUR)


def test_a_profile_finds_its_segments() -> None:
    young = Segment("age", 1, 1, high=30.0)
    assert young.holds({"age": 29.9})
    assert not young.holds({"age": 30.0})
    assert not young.holds({"age": "29"})
    assert not young.holds({"age": float("nan")})
    assert not young.holds({})
    assert Segment("gender", 1, 1, value="F").holds({"gender": "F", "age": 3.0})
    assert not Segment("gender", 1, 1, value="F").holds({"gender": "M"})


def test_shares_worked_by_hand_and_saved(tmp_path: Path) -> None:
    found = fitted(gender=["F" if user % 2 else "M" for user in range(USERS)], all=["yes"] * USERS)
    assert found is not None
    found.save(tmp_path / "segments")
    loaded, trend = Segments.load(tmp_path / "segments"), np.array([30, 30, 0], np.float32)
    everybody = np.array([30.5, 30.5, 0.5]) / 61.5
    of_gender, of_everybody = {segment.attribute: segment.prior for segment in loaded.segments}.values()
    women = (np.array([0, 30, 0]) + of_gender * everybody) / (30 + of_gender)
    of_all = (np.array([30, 30, 0]) + of_everybody * everybody) / (60 + of_everybody)
    shares = loaded.shares({"gender": "F", "all": "yes"}, trend, ALL)
    assert shares is not None
    np.testing.assert_allclose(shares, np.sqrt(women * of_all), rtol=1e-3)
    np.testing.assert_array_equal(
        loaded.shares({"gender": "F", "all": "yes"}, trend, np.array([2, 1], np.int32)), shares[[2, 1]]
    )
    assert loaded.shares({"gender": "unknown"}, trend, ALL) is None
