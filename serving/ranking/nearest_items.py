"""Nearest items of an interest by inner product: exact, or with the release's approximate index."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.release.ann_index import pad
from serving.release.arrays import FloatArray
from serving.release.item_embeddings import Precision


class NearestItems:
    """An index of `embeddings` [items, interest size] float32, or the release's own index in `file`."""

    def __init__(
        self, embeddings: FloatArray, precision: Precision = "float32", file: Path | None = None
    ) -> None:
        import faiss  # imported here, because it takes 13 MB and a small catalog does not need it

        if file is not None:
            self._index: Any = faiss.read_index(str(file))
            return
        codes = {"float32": "Flat", "float16": "SQfp16", "int8": "SQ8"}[precision]
        padded = embeddings if precision == "float32" else pad(embeddings)
        self._index = faiss.index_factory(padded.shape[1], codes, faiss.METRIC_INNER_PRODUCT)
        self._index.train(padded)
        self._index.add(padded)

    def search(self, interest: FloatArray, count: int) -> NDArray[np.int32]:
        """Return the `count` nearest items, nearest first; `interest`: [interest size]."""
        query = np.asarray(interest, np.float32)[np.newaxis]
        _, items = self._index.search(query if self._index.d == query.shape[1] else pad(query), count)
        nearest: NDArray[np.int32] = items[0][items[0] >= 0].astype(np.int32)
        return nearest
