"""The items nearest to an interest by inner product: exact, or by an inverted file where that is too slow."""

import logging
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from serving.release import FloatArray

logger = logging.getLogger(__name__)

# Exact search takes about 3 ms there, and more for more items.
EXACT_ITEMS: Final = 200_000

# Of the 100 nearest items, the share that an inverted file must find.
RECALL: Final = 0.97
_SAMPLE: Final = 200
_TOP: Final = 100
# Beyond these an inverted file saves too little.
_PROBES: Final = (8, 16, 32, 64, 128, 256)


class NearestItems:
    """An index over `embeddings` [items, interest size] float32; `recall` is measured as it is built.

    An inverted file that finds too few of the nearest items is not used: exact search is slower, never wrong.
    """

    def __init__(self, embeddings: FloatArray, exact_items: int = EXACT_ITEMS) -> None:
        import faiss  # 13 MB that a small catalog has no use for

        self.recall = 1.0
        self._index: Any = faiss.IndexFlatIP(embeddings.shape[1])
        self._index.add(embeddings)
        if len(embeddings) <= exact_items:
            return
        index, recall = _inverted_file(embeddings, self._index)
        if recall < RECALL:
            logger.warning("the inverted file finds %.3f of the nearest items: exact search instead", recall)
            return
        self._index, self.recall = index, recall

    def search(self, interest: FloatArray, count: int) -> NDArray[np.int32]:
        """The `count` nearest items, nearest first."""
        _, items = self._index.search(np.asarray(interest, np.float32)[np.newaxis], count)
        found: NDArray[np.int32] = items[0][items[0] >= 0].astype(np.int32)
        return found


def _inverted_file(embeddings: FloatArray, exact: Any) -> tuple[Any, float]:
    """With the fewest probes that reach RECALL on a sample of items taken as interests, and that recall."""
    import faiss

    lists = int(np.sqrt(len(embeddings)))
    index: Any = faiss.index_factory(embeddings.shape[1], f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
    chosen = np.random.default_rng(0).permutation(len(embeddings))
    index.train(embeddings[chosen[: 40 * lists]])
    index.add(embeddings)
    interests = embeddings[chosen[:_SAMPLE]]
    _, nearest = exact.search(interests, _TOP)
    for index.nprobe in _PROBES:
        _, found = index.search(interests, _TOP)
        recall = float(np.mean([np.isin(a, b).mean() for a, b in zip(nearest, found, strict=True)]))
        if recall >= RECALL:
            break
    return index, recall
