"""Submatrices of sparse matrices."""

import numpy as np
import pytest
from scipy.sparse import random_array

from serving.ranking.sparse_scores import submatrix


@pytest.mark.parametrize(
    ("rows", "columns"),
    [([3, 0, 3, 9], [7, 2, 0, 11]), ([], [1]), ([5], [6]), (list(range(10)), list(range(12)))],
)
def test_a_submatrix_equals_dense_indexing(rows: list[int], columns: list[int]) -> None:
    matrix = random_array((10, 12), density=0.4, format="csr", rng=np.random.default_rng(1), dtype=np.float32)
    expected = matrix.toarray()[np.ix_(np.array(rows, int), np.array(columns, int))]
    result = submatrix(matrix, np.array(rows, np.int32), np.array(columns, np.int32))
    np.testing.assert_array_equal(result, expected)


def test_a_submatrix_of_an_empty_matrix_is_zero() -> None:
    empty = random_array((4, 4), density=0, format="csr", dtype=np.float32)
    assert not submatrix(empty, np.array([0, 3], np.int32), np.array([1, 2], np.int32)).any()
