"""User attributes from a profile, and their encoding as model inputs."""

import numpy as np
from numpy.testing import assert_array_equal

from feature_repo.attributes import Attributes, encode
from feature_repo.contract import PAD


def test_of_prefixes_texts_with_their_column_and_keeps_numbers() -> None:
    user = Attributes.of({"gender": "F", "age": 34.0, "likes": "Comedy|Drama|"})
    assert user.names == ["gender=F", "age", "likes=Comedy", "likes=Drama"]
    assert_array_equal(user.values, [np.nan, 34.0, np.nan, np.nan])


def test_of_skips_missing_values_and_activity() -> None:
    profile = {
        "gender": None,
        "age": np.nan,
        "city": "",
        "interactions": 7,
        "last_seen": 9,
        "mean_value": 3.5,
    }
    assert Attributes.of({**profile, "seen_before": ["a"]}) == Attributes([], [])


def test_encode_starts_each_row_with_padding_and_pads_right() -> None:
    inputs = encode([Attributes.of({"gender": "F", "age": 34}), Attributes()])
    assert inputs["attributes"].tolist() == [[PAD, "gender=F", "age"], [PAD, PAD, PAD]]
    assert_array_equal(
        inputs["attribute_values"], np.array([[np.nan, np.nan, 34.0], [np.nan] * 3], np.float32)
    )
