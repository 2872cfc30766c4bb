"""An inverted file over the embeddings of a large catalog: built with the release, not at its opening."""

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from serving.errors import ReleaseError
from serving.release.arrays import FloatArray

NEAREST: Final = "nearest.faiss"

# Exact search takes about 3 ms there, and more for more items.
EXACT_ITEMS: Final = 200_000

# Of the TOP nearest items, the share that an inverted file must find.
RECALL: Final = 0.97
TOP: Final = 100
_SAMPLE: Final = 500

# A byte a dimension, or two where a byte is too coarse. Beyond these probes little is saved.
_CODES: Final = ("SQ8", "SQfp16")
_PROBES: Final = (8, 16, 32, 64, 128, 256)
_TRAINED_PER_LIST: Final = 40

# Faiss reads scalar codes a register at a time only where they fill whole ones: ten times faster than else.
_REGISTER: Final = 16


def write_inverted_file(
    directory: Path, embeddings: FloatArray, interests: FloatArray | None, exact_items: int
) -> dict[str, Any]:
    """Write NEAREST into `directory` for more than `exact_items` items; what the manifest says of it.

    Args:
        embeddings: [items, interest size] float32.
        interests: [n, interest size] float32 that recall is measured on; some items themselves where None.

    Raises:
        ReleaseError: the inverted file finds too few of the nearest items.
    """
    (directory / NEAREST).unlink(missing_ok=True)
    if len(embeddings) <= exact_items:
        return {}
    import faiss

    embeddings = pad(embeddings)
    chosen = np.random.default_rng(0).permutation(len(embeddings))
    sample = embeddings[chosen[:_SAMPLE]] if interests is None else pad(interests[:_SAMPLE])
    exact: Any = faiss.IndexFlatIP(embeddings.shape[1])
    exact.add(embeddings)
    _, nearest = exact.search(sample, TOP)
    lists = int(np.sqrt(len(embeddings)))
    recall = 0.0
    for code in _CODES:
        index: Any = faiss.index_factory(
            embeddings.shape[1], f"IVF{lists},{code}", faiss.METRIC_INNER_PRODUCT
        )
        index.train(embeddings[chosen[: _TRAINED_PER_LIST * lists]])
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
        f"{_PROBES[-1]} of {lists:,} lists probed, expected at least {RECALL}: the item embeddings do not "
        f"cluster, as those of a model that learned little; look at its evaluation and train longer"
    )


def pad(vectors: FloatArray) -> FloatArray:
    """[n, size] -> [n, size or a little more]: zeros, which change no product, up to whole registers."""
    return np.pad(vectors, [(0, 0), (0, -vectors.shape[1] % _REGISTER)])


def _choose_probes(index: Any, sample: FloatArray, nearest: NDArray[np.int64]) -> float:
    """Sets the fewest probes that reach RECALL, and returns the recall with them."""
    recall = 0.0
    for index.nprobe in _PROBES:
        _, found = index.search(sample, nearest.shape[1])
        recall = float(np.mean([np.isin(a, b).mean() for a, b in zip(nearest, found, strict=True)]))
        if recall >= RECALL:
            break
    return recall
