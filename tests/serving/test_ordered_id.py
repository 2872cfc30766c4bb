"""Ids are UUIDs of version 7, and ascend with time."""

import uuid
from unittest.mock import patch

from serving.ordered_id import ordered_id


def test_an_id_is_a_uuid_of_version_7() -> None:
    with patch("time.time_ns", return_value=1_700_000_000_123_456_789):
        made = uuid.UUID(ordered_id())

    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == 1_700_000_000_123


def test_ids_ascend_with_time_and_differ_within_a_millisecond() -> None:
    made = []
    for milliseconds in range(1000):
        with patch("time.time_ns", return_value=(1_700_000_000_000 + milliseconds) * 1_000_000):
            made += [sorted(ordered_id() for _ in range(3))]

    ids = [one for three in made for one in three]
    assert ids == sorted(set(ids))
    assert {len(one) for one in ids} == {32}
