"""Sparse matrices as .npy files, without pickle."""

from pathlib import Path

import numpy as np
from scipy.sparse import csr_array


def save_csr(matrix: csr_array, directory: Path) -> None:
    """A file that somebody reads is replaced, never written over."""
    directory.mkdir(parents=True, exist_ok=True)
    arrays = {
        "indptr": matrix.indptr.astype(np.int64),
        "indices": matrix.indices.astype(np.int32),
        "data": matrix.data.astype(np.float32),
        "shape": np.asarray(matrix.shape, np.int64),
    }
    for name, array in arrays.items():
        part = directory / f"{name}.part.npy"
        np.save(part, array)
        part.replace(directory / f"{name}.npy")


def load_csr(directory: Path) -> csr_array:
    """Entries stay in their files until they are looked at, and all processes of a machine share them."""
    arrays = {name: np.load(directory / f"{name}.npy", allow_pickle=False) for name in ("indptr", "shape")}
    for name in ("data", "indices"):
        arrays[name] = np.asarray(np.load(directory / f"{name}.npy", mmap_mode="r", allow_pickle=False))
    if len(arrays["data"]) <= np.iinfo(np.int32).max:
        # scipy widens the indices to the type of indptr, and a release would take twice the memory.
        arrays["indptr"] = arrays["indptr"].astype(np.int32)
    return csr_array((arrays["data"], arrays["indices"], arrays["indptr"]), shape=tuple(arrays["shape"]))
