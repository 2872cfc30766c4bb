"""The item embeddings of a release on disk, as float32, float16 or int8."""

from pathlib import Path
from typing import Final, Literal, cast

import numpy as np
from numpy.typing import NDArray

from serving.release.arrays import FloatArray

Precision = Literal["float32", "float16", "int8"]

EMBEDDINGS: Final = "item_embeddings.npy"
SCALES: Final = "item_scales.npy"


def save_embeddings(directory: Path, embeddings: FloatArray, precision: Precision) -> None:
    """Write `embeddings` [items, size + 1] float32 into `directory`; their last column is the item's bias.

    EMBEDDINGS holds them as float32 or float16. For int8 it holds [items, size] multiples of a step of each
    item, and SCALES [items, 2] float32 holds the step and the bias, which is many times larger than the rest.
    """
    (directory / SCALES).unlink(missing_ok=True)
    stored: NDArray[np.float32] | NDArray[np.int8] = embeddings
    if precision == "int8":
        vectors, bias = embeddings[:, :-1], embeddings[:, -1]
        step = np.maximum(np.abs(vectors).max(axis=1, initial=0.0), np.float32(1e-30)) / np.float32(127)
        stored = np.rint(vectors / step[:, np.newaxis]).astype(np.int8)
        np.save(directory / SCALES, np.stack([step, bias], axis=1))
    np.save(directory / EMBEDDINGS, stored.astype(precision, copy=False))


def load_embeddings(directory: Path) -> tuple[FloatArray, Precision]:
    """Return the embeddings [items, size + 1] as float32, and the precision at which they were stored."""
    stored = np.load(directory / EMBEDDINGS, allow_pickle=False)
    precision = cast(Precision, stored.dtype.name)
    if precision == "int8":
        scales = np.load(directory / SCALES, allow_pickle=False)
        return np.concatenate([stored * scales[:, :1], scales[:, 1:]], axis=1), precision
    return stored.astype(np.float32, copy=False), precision
