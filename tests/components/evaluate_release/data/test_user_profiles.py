"""Profiles from users' attributes, as the recommender receives them."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.errors import StepError
from components.evaluate_release.data.user_profiles import profiles, read_users


def test_profiles_hold_the_attributes_that_are_not_null_of_the_requested_users() -> None:
    users = pa.table({"user_id": ["u0", "u1", "u2"], "age": [20.0, None, 40.0], "gender": ["F", "M", None]})
    assert profiles(users, ["u2", "u1", "u1", "u7"]) == {"u1": {"gender": "M"}, "u2": {"age": 40.0}}


def test_read_users_raises_when_the_file_is_missing_or_has_no_user_id(tmp_path) -> None:
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "users.parquet")
    with pytest.raises(StepError, match=r"users\.parquet have the columns \['id'\], expected user_id"):
        read_users(tmp_path / "users.parquet")
    with pytest.raises(StepError, match=r"nowhere can't be read"):
        read_users(tmp_path / "nowhere")
