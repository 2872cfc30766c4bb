"""Sparse matrices as .npy files, without pickle."""

from pathlib import Path

import numpy as np
from scipy.sparse import csr_array


def save_csr(matrix: csr_array, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    np.save(directory / "indptr.npy", matrix.indptr.astype(np.int64))
    np.save(directory / "indices.npy", matrix.indices.astype(np.int32))
    np.save(directory / "data.npy", matrix.data.astype(np.float32))
    np.save(directory / "shape.npy", np.asarray(matrix.shape, np.int64))


def load_csr(directory: Path) -> csr_array:
    arrays = {
        name: np.load(directory / f"{name}.npy", allow_pickle=False)
        for name in ("data", "indices", "indptr", "shape")
    }
    if len(arrays["data"]) <= np.iinfo(np.int32).max:
        # scipy widens the indices to the type of indptr, and a release would take twice the memory.
        arrays["indptr"] = arrays["indptr"].astype(np.int32)
    return csr_array((arrays["data"], arrays["indices"], arrays["indptr"]), shape=tuple(arrays["shape"]))
