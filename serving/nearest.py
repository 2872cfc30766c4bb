"""The items nearest to an interest by inner product: exact, or by the release's inverted file."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.inverted_file import pad
from serving.release import FloatArray


class NearestItems:
    """Searches `embeddings` [items, interest size] float32, or `file` where the release holds one."""

    def __init__(self, embeddings: FloatArray, file: Path | None = None) -> None:
        import faiss  # 13 MB that a small catalog has no use for

        if file is not None:
            self._index: Any = faiss.read_index(str(file))
        else:
            self._index = faiss.IndexFlatIP(embeddings.shape[1])
            self._index.add(embeddings)

    def search(self, interest: FloatArray, count: int) -> NDArray[np.int32]:
        """The `count` nearest items, nearest first."""
        query = np.asarray(interest, np.float32)[np.newaxis]
        _, items = self._index.search(query if self._index.d == query.shape[1] else pad(query), count)
        found: NDArray[np.int32] = items[0][items[0] >= 0].astype(np.int32)
        return found
