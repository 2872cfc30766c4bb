"""Nearest items of an interest by inner product: exact, or with the release's approximate index."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.ranking.top_k import best_positions
from serving.release.ann_index import pad
from serving.release.arrays import FloatArray
from serving.release.item_embeddings import Precision


class NearestItems:
    """An index of `embeddings` [items, interest size] float32, or the release's own index in `file`."""

    def __init__(
        self, embeddings: FloatArray, precision: Precision = "float32", file: Path | None = None
    ) -> None:
        import faiss  # imported here, because it takes 13 MB and a small catalog does not need it

        self._exact = embeddings if precision == "float32" and file is None else None
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
        return self._search(np.asarray(interest, np.float32)[np.newaxis], count)[0]

    def search_all(self, interests: FloatArray, count: int) -> list[NDArray[np.int32]]:
        """Return what `search` returns for each of `interests` [n, interest size]; equal scores may differ.

        An exact search is a product of matrices here, and a sort: for 187 interests and 14,240 items that
        takes a quarter of the time.
        """
        queries = np.asarray(interests, np.float32)
        if self._exact is not None:
            return [best_positions(scores, count).astype(np.int32) for scores in queries @ self._exact.T]
        return self._search(queries, count)

    def _search(self, queries: FloatArray, count: int) -> list[NDArray[np.int32]]:
        _, found = self._index.search(queries if self._index.d == queries.shape[1] else pad(queries), count)
        return [items[items >= 0].astype(np.int32) for items in found]
