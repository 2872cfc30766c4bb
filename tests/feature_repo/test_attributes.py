"""What the model is told of a user, from the profile as the feature store holds it."""

import numpy as np
from numpy.testing import assert_array_equal

from feature_repo.attributes import Attributes, encode
from feature_repo.contract import PAD


def test_texts_carry_their_column_and_numbers_their_value() -> None:
    user = Attributes.of({"gender": "F", "age": 34.0, "likes": "Comedy|Drama|"})
    assert user.names == ["gender=F", "age", "likes=Comedy", "likes=Drama"]
    assert_array_equal(user.values, [np.nan, 34.0, np.nan, np.nan])


def test_what_is_missing_or_counted_is_no_attribute() -> None:
    profile = {
        "gender": None,
        "age": np.nan,
        "city": "",
        "interactions": 7,
        "last_seen": 9,
        "mean_value": 3.5,
    }
    assert Attributes.of({**profile, "seen_before": ["a"]}) == Attributes([], [])


def test_encoding_puts_a_pad_first_and_fills_up_on_the_right() -> None:
    inputs = encode([Attributes.of({"gender": "F", "age": 34}), Attributes()])
    assert inputs["attributes"].tolist() == [[PAD, "gender=F", "age"], [PAD, PAD, PAD]]
    assert_array_equal(inputs["attribute_values"], np.float32([[np.nan, np.nan, 34.0], [np.nan] * 3]))
