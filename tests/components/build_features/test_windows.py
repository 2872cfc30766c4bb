"""Windows contain each interaction once, also where a step lies on their edge."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from components.build_features.labelled_users import LabelledUsers
from components.build_features.windows import windows

AS_OF = 1_000


def users(*times: list[int]) -> LabelledUsers:
    offsets = np.concatenate([[0], np.cumsum([len(own) for own in times])]).astype(np.int64)
    timestamps = np.array([at for own in times for at in sorted(own)], np.int64)
    ids = pa.array([f"u{user}" for user in range(len(times))])
    items = pa.array([f"i{at}" for at in timestamps])
    return LabelledUsers(ids, offsets, items, timestamps, np.ones(len(timestamps), np.float32))


def cutoffs(until: int, size: int, *times: list[int]) -> list[list[int]]:
    """Return for each user the cutoffs, oldest first."""
    planted = users(*times)
    owners, ends = windows(planted, np.full(len(times), until, np.int64), size)
    return [sorted(ends[owners == user].tolist()) for user in range(len(times))]


def test_windows_of_different_times_are_full_but_the_oldest() -> None:
    assert cutoffs(AS_OF, 2, [10, 20, 30, 40, 50], [5], [7, 8]) == [[20, 40, AS_OF], [AS_OF], [AS_OF]]


def test_interactions_at_until_or_later_are_in_no_window() -> None:
    assert cutoffs(30, 2, [10, 20, 30, 40], [30, 31]) == [[30], []]


def test_a_step_on_the_edge_is_in_the_older_window_whole() -> None:
    # The newest three interactions end inside the step at 20, so the window begins after it.
    assert cutoffs(AS_OF, 3, [10, 20, 20, 30, 40]) == [[30, AS_OF]]
    assert cutoffs(AS_OF, 4, [10, 20, 20, 30, 40]) == [[20, AS_OF]]


def test_a_step_that_is_larger_than_a_window_is_a_window_of_its_own() -> None:
    assert cutoffs(AS_OF, 2, [10, 20, 20, 20, 30]) == [[20, 30, AS_OF]]
    assert cutoffs(AS_OF, 2, [20, 20, 20]) == [[AS_OF]]
    assert cutoffs(AS_OF, 2, [10, 20, 20, 20]) == [[20, AS_OF]]


@settings(deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=40), min_size=1, max_size=3),
    st.integers(1, 6),
    st.integers(1, 31),
)
def test_windows_divide_the_steps_before_until(times: list[list[int]], size: int, until: int) -> None:
    for own, ends in zip(times, cutoffs(until, size, *times), strict=True):
        before = np.array(sorted(at for at in own if at < until))
        assert bool(ends) == bool(len(before))
        if ends:
            assert ends[-1] == until
            assert before[0] < ends[0]
        for start, end in zip([-1, *ends], ends, strict=False):
            window = before[(before >= start) & (before < end)]
            assert len(window) <= size or len(set(window.tolist())) == 1
            # As full as possible: the step before it does not fit.
            if start > -1 and len(set(window.tolist())) >= 1:
                older = before[before < start]
                assert len(window) + np.count_nonzero(older == older[-1]) > size
