"""Sparse matrices: stored as .npy files, and the products and row copies of an answer.

The only module that uses SciPy's private API, the compiled routines of `scipy.sparse._sparsetools`. Public
`matrix[rows]` and `matrix @ vector` check and wrap their arguments on each call, and an answer makes about a
dozen such calls. Measured for a history of 50 items:

                          3,700 items (200 entries a row)    1,000,000 items (20 entries a row)
copy rows                  43 µs; public API 190 µs           15 µs; public API 210 µs
weighted sum of rows       12 µs; public API 140 µs            4 µs; public API 185 µs

The NumPy equivalents (`take`, `bincount`) take two to seven times as long as the private routines.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse._sparsetools import csc_matvec, csr_matvec, csr_row_index

from serving.errors import DamagedRelease
from serving.release.arrays import FloatArray, Indexes, map_arrays, save_arrays


def save_csr(matrix: csr_array, directory: Path) -> None:
    """Write a matrix as four .npy files, without pickle."""
    arrays = {
        "indptr": matrix.indptr.astype(np.int64),
        "indices": matrix.indices.astype(np.int32),
        "data": matrix.data.astype(np.float32),
        "shape": np.asarray(matrix.shape, np.int64),
    }
    save_arrays(directory, arrays)


def load_csr(directory: Path) -> csr_array:
    """Open a matrix that `save_csr` wrote; its entries are memory-mapped.

    Raises:
        DamagedRelease: an index is outside the matrix; the compiled routines below do not check that.
    """
    arrays = map_arrays(directory, ("data", "indices", "indptr", "shape"))
    indptr = np.array(arrays["indptr"])
    if len(arrays["data"]) <= np.iinfo(np.int32).max:
        # SciPy converts the indices to the type of indptr; with int64 a release would take twice the memory.
        indptr = indptr.astype(np.int32)
    return checked_csr(directory, arrays["data"], arrays["indices"], indptr, tuple(arrays["shape"]))


def checked_csr(
    directory: Path,
    data: NDArray[Any],
    indices: NDArray[Any],
    indptr: NDArray[Any],
    shape: tuple[int, ...],
) -> csr_array:
    """Return the matrix of these arrays, all of whose indexes are inside `shape`.

    Raises:
        DamagedRelease: they are not; the error names `directory`.
    """
    try:
        matrix = csr_array((data, indices, indptr), shape=shape)
        matrix.check_format(full_check=True)
    except ValueError as error:
        raise DamagedRelease(f"the index arrays of {directory} are no matrix {shape} ({error})") from error
    return matrix


def copy_rows(matrix: csr_array, rows: Indexes) -> tuple[Indexes, NDArray[Any], Indexes]:
    """Return columns [entries] and values [entries] of `rows`, row after row, and row offsets [rows + 1]."""
    indptr, chosen = matrix.indptr, rows.astype(matrix.indptr.dtype, copy=False)
    offsets = np.zeros(len(rows) + 1, np.int32)
    np.cumsum(indptr[chosen + 1] - indptr[chosen], out=offsets[1:])
    columns = np.empty(offsets[-1], matrix.indices.dtype)
    values = np.empty(offsets[-1], matrix.data.dtype)
    csr_row_index(len(rows), chosen, indptr, matrix.indices, matrix.data, columns, values)
    return columns.astype(np.int32, copy=False), values, offsets


def sum_rows(
    columns: Indexes, values: FloatArray, offsets: Indexes, weights: FloatArray, width: int
) -> FloatArray:
    """Return the weighted sum [width] of rows.

    Args:
        columns, values, offsets: rows as `copy_rows` returns them.
        weights: [rows]
    """
    sums = np.zeros(width, np.float32)
    csc_matvec(width, len(weights), offsets, columns, values, weights, sums)
    return sums


def rows_dot(matrix: csr_array, rows: Indexes, vector: FloatArray) -> FloatArray:
    """Return the products [rows] of some rows with `vector` [columns]."""
    columns, values, offsets = copy_rows(matrix, rows)
    products = np.zeros(len(rows), np.float32)
    csr_matvec(len(rows), len(vector), offsets, columns, values, vector, products)
    return products
