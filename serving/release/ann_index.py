"""The approximate nearest-neighbour index of a large catalog, built when the release is written.

An inverted file (IVF) of faiss over scalar-quantized item embeddings.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from serving.errors import ReleaseError
from serving.release.arrays import FloatArray

NEAREST: Final = "nearest.faiss"

# Up to this many items search is exact; it takes about 3 ms at this size.
EXACT_ITEMS: Final = 200_000

# The share of the TOP nearest items that the index must find.
RECALL: Final = 0.97
TOP: Final = 100
_SAMPLE: Final = 500

# One byte per dimension; two if one is too coarse. More probes would save little over exact search.
_CODES: Final = ("SQ8", "SQfp16")
_PROBES: Final = (8, 16, 32, 64, 128, 256)
_TRAINED_PER_LIST: Final = 40

# Faiss uses SIMD on scalar codes only for dimensions that are a multiple of this: ten times faster.
_REGISTER: Final = 16


def write_inverted_file(
    directory: Path, embeddings: FloatArray, interests: FloatArray | None, exact_items: int
) -> dict[str, Any]:
    """Write NEAREST into `directory` for a catalog of more than `exact_items`; return its manifest entry.

    Args:
        embeddings: [items, interest size] float32.
        interests: [n, interest size] float32, queries on which recall is measured; None uses item embeddings.

    Raises:
        ReleaseError: the recall of the index is below RECALL.
    """
    (directory / NEAREST).unlink(missing_ok=True)
    if len(embeddings) <= exact_items:
        return {}
    import faiss

    embeddings = pad(embeddings)
    shuffled = np.random.default_rng(0).permutation(len(embeddings))
    sample = embeddings[shuffled[:_SAMPLE]] if interests is None else pad(interests[:_SAMPLE])
    exact: Any = faiss.IndexFlatIP(embeddings.shape[1])
    exact.add(embeddings)
    _, nearest = exact.search(sample, TOP)
    lists = int(np.sqrt(len(embeddings)))
    recall = 0.0
    for code in _CODES:
        index: Any = faiss.index_factory(
            embeddings.shape[1], f"IVF{lists},{code}", faiss.METRIC_INNER_PRODUCT
        )
        index.train(embeddings[shuffled[: _TRAINED_PER_LIST * lists]])
        index.add(embeddings)
        recall = _choose_probes(index, sample, nearest)
        if recall >= RECALL:
            faiss.write_index(index, str(directory / NEAREST))
            return {
                "index": f"IVF{lists},{code}",
                "probes": index.nprobe,
                f"recall_at_{TOP}": round(recall, 4),
                "measured_on": f"{len(sample)} {'items' if interests is None else 'interests'}",
            }
    raise ReleaseError(
        f"an inverted file over {len(embeddings):,} items finds {recall:.3f} of the {TOP} nearest items with "
        f"{_PROBES[-1]} of {lists:,} lists probed, expected at least {RECALL}: the item embeddings form no "
        f"clusters, which is typical of a model that learned little; check its evaluation and train longer"
    )


def pad(vectors: FloatArray) -> FloatArray:
    """Pad vectors [n, size] with zeros to a multiple of the register size; products stay the same."""
    return np.pad(vectors, [(0, 0), (0, -vectors.shape[1] % _REGISTER)])


def _choose_probes(index: Any, sample: FloatArray, nearest: NDArray[np.int64]) -> float:
    """Set the fewest probes that reach RECALL, and return the recall with them."""
    recall = 0.0
    for index.nprobe in _PROBES:
        _, results = index.search(sample, nearest.shape[1])
        recall = float(np.mean([np.isin(a, b).mean() for a, b in zip(nearest, results, strict=True)]))
        if recall >= RECALL:
            break
    return recall
