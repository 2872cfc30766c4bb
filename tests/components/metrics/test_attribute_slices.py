"""Slices by users' attributes, computed by hand."""

import numpy as np
import pyarrow as pa

from components.metrics.attribute_slices import MAX_VALUES, split_by_attribute


def table(**columns) -> pa.Table:
    count = len(next(iter(columns.values())))
    return pa.table({"user_id": [f"u{user}" for user in range(count)], **columns})


def members(masks):
    return {label: np.flatnonzero(mask).tolist() for label, mask in masks.items()}


def test_text_is_split_by_value_most_frequent_first_without_nulls_and_unknown_users() -> None:
    users = table(gender=["F", "M", "M", None])
    masks = split_by_attribute(users, ["u3", "u2", "u1", "u0", "u9"])["gender"]
    assert list(masks) == ["M", "F"]
    assert members(masks) == {"M": [1, 2], "F": [3]}


def test_values_beyond_the_eight_most_frequent_share_one_slice() -> None:
    values = [name for name in "abcdefghijk" for _ in range(2 if name < "i" else 1)]
    masks = split_by_attribute(table(job=values), [f"u{user}" for user in range(len(values))])["job"]
    assert list(masks) == [*"abcdefgh", "3 others"]
    assert masks["3 others"].sum() == 3


def test_an_attribute_with_too_many_values_has_no_slices() -> None:
    values = [str(value) for value in range(MAX_VALUES + 1)]
    assert split_by_attribute(table(zip_code=values), ["u0"] * 2)["zip_code"] is not None
    user_ids = [f"u{user}" for user in range(len(values))]
    assert split_by_attribute(table(zip_code=values), user_ids)["zip_code"] == {}


def test_numbers_are_split_into_quantiles() -> None:
    ages = pa.array([30, 10, 20, 40, 50, 60, 70, 80, None], pa.float64())
    masks = split_by_attribute(table(age=ages), [f"u{user}" for user in range(9)])["age"]
    assert members(masks) == {"up to 20": [1, 2], "30–40": [0, 3], "50–60": [4, 5], "above 60": [6, 7]}


def test_few_distinct_numbers_make_fewer_slices() -> None:
    masks = split_by_attribute(table(member=[0, 1, 1, 1]), ["u0", "u1", "u2", "u3"])["member"]
    assert members(masks) == {"0": [0], "1": [1, 2, 3]}
