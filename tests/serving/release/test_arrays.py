"""Tests of the array functions."""

import numpy as np
import pytest

from serving.release.arrays import distinct


@pytest.mark.parametrize("values", [[], [7], [3, 3], [5, 1, 5, 0, 1]])
@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_distinct_values_are_those_of_numpy(values: list[int], kind: type[np.integer]) -> None:
    found, expected = distinct(np.array(values, kind)), np.unique(np.array(values, kind))
    assert found.tolist() == expected.tolist()
    assert found.dtype == kind
