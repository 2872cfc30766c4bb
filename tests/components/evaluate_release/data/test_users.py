"""Users' attributes: profiles as serving knows them, and cuts worked by hand."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.errors import StepError
from components.evaluate_release.data.users import MAX_VALUES, cut_by_attribute, profiles, read_users


def table(**columns) -> pa.Table:
    count = len(next(iter(columns.values())))
    return pa.table({"user_id": [f"u{user}" for user in range(count)], **columns})


def members(cut):
    return {label: np.flatnonzero(mask).tolist() for label, mask in cut.items()}


def test_a_profile_holds_what_is_known_of_those_asked_for():
    users = table(age=[20.0, None, 40.0], gender=["F", "M", None])
    assert profiles(users, ["u2", "u1", "u1", "u7"]) == {"u1": {"gender": "M"}, "u2": {"age": 40.0}}


def test_text_is_cut_by_value_the_commonest_first_and_the_unknown_left_out():
    cut = cut_by_attribute(table(gender=["F", "M", "M", None]), ["u3", "u2", "u1", "u0", "u9"])["gender"]
    assert list(cut) == ["M", "F"]
    assert members(cut) == {"M": [1, 2], "F": [3]}


def test_beyond_eight_the_rarer_values_stand_together():
    values = [name for name in "abcdefghijk" for _ in range(2 if name < "i" else 1)]
    cut = cut_by_attribute(table(job=values), [f"u{user}" for user in range(len(values))])["job"]
    assert list(cut) == [*"abcdefgh", "3 others"]
    assert cut["3 others"].sum() == 3


def test_an_attribute_of_many_values_is_left_out():
    values = [str(value) for value in range(MAX_VALUES + 1)]
    assert cut_by_attribute(table(zip_code=values), ["u0"] * 2)["zip_code"] is not None
    asked = [f"u{user}" for user in range(len(values))]
    assert cut_by_attribute(table(zip_code=values), asked)["zip_code"] == {}


def test_numbers_are_cut_into_bands_of_as_many_users():
    ages = [30, 10, 20, 40, 50, 60, 70, 80, None]
    cut = cut_by_attribute(table(age=pa.array(ages, pa.float64())), [f"u{user}" for user in range(9)])["age"]
    assert members(cut) == {"10–20": [1, 2], "30–40": [0, 3], "50–60": [4, 5], "70–80": [6, 7]}


def test_few_numbers_make_as_few_bands():
    cut = cut_by_attribute(table(member=[0, 1, 1, 1]), ["u0", "u1", "u2", "u3"])["member"]
    assert members(cut) == {"0": [0], "1": [1, 2, 3]}


def test_a_file_without_users_is_named(tmp_path):
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "users.parquet")
    with pytest.raises(StepError, match=r"users\.parquet have the columns \['id'\], expected user_id"):
        read_users(tmp_path / "users.parquet")
    with pytest.raises(StepError, match=r"nowhere can't be read"):
        read_users(tmp_path / "nowhere")
