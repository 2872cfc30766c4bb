"""Which items may be answered at all, and how alike the answered ones may be."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from serving.release import Catalog, FloatArray
from serving.retrieval import SOURCES, Candidates, SourceBits
from serving.signals import Indexes

NO_ITEMS: Final[Indexes] = np.zeros(0, np.int32)

# Where the candidates leave fewer than k, so many permitted items join them, the most popular first.
MAX_JOINING: Final = 1_000

# MMR looks at so many items for each one that it answers.
MMR_POOL: Final = 10


@dataclass(frozen=True, eq=False)
class Rules:
    """One request's; an empty rule permits everything."""

    now: int  # µs since the epoch, the moment that an item must be available at
    excluded: Indexes = field(default_factory=lambda: NO_ITEMS)  # seen, blocked: never answered
    allowed: Indexes | None = None  # nothing else is answered
    domain: str = ""
    categories: tuple[str, ...] = ()  # any of them


class Rulebook:
    """What the rules ask of a catalog's items, looked up in arrays; safe to share between threads."""

    def __init__(self, catalog: Catalog, popularity: FloatArray) -> None:
        """`popularity`: [items]."""
        self._catalog, self._popularity = catalog, popularity
        names = dict.fromkeys(catalog.domains)
        self._domain_codes = {name: code for code, name in enumerate(names)}
        self._domains = np.array([self._domain_codes[name] for name in catalog.domains], np.int32)

    def permitted(self, rules: Rules, items: Indexes) -> NDArray[np.bool_]:
        """[m] whether each of `items` [m] may be answered."""
        catalog = self._catalog
        permitted: NDArray[np.bool_] = catalog.available_from[items] <= rules.now
        permitted &= rules.now < catalog.available_until[items]
        if len(rules.excluded):
            permitted &= ~np.isin(items, rules.excluded)
        if rules.allowed is not None:
            permitted &= np.isin(items, rules.allowed)
        if rules.domain:
            permitted &= self._domains[items] == self._domain_codes.get(rules.domain, -1)
        if rules.categories:
            columns = [catalog.category_index.get(category, -1) for category in rules.categories]
            wanted = np.zeros(catalog.content.shape[1], np.float32)
            wanted[[column for column in columns if column >= 0]] = 1
            permitted &= (catalog.content[items] @ wanted) > 0
        return permitted

    def select(self, rules: Rules, candidates: Candidates, k: int) -> Candidates:
        """The permitted candidates; where they are fewer than k, permitted items beside them join.

        So k items are answered whenever k are permitted. Who joins is named by "popularity".
        """
        if rules.allowed is not None:
            candidates = _of(candidates, np.unique(rules.allowed))
        kept = self.permitted(rules, candidates.items)
        items, sources = candidates.items[kept], candidates.sources[kept]
        if len(items) >= min(k, len(self._catalog)) or rules.allowed is not None:
            return Candidates(items, sources)
        others = np.setdiff1d(np.arange(len(self._catalog), dtype=np.int32), candidates.items)
        others = others[self.permitted(rules, others)]
        count = max(MAX_JOINING, k)
        joining = others[np.argsort(-self._popularity[others], kind="stable")[:count]]
        named = np.full(len(joining), 1 << SOURCES.index("popularity"), SourceBits)
        joined = np.concatenate([items, joining])
        order = np.argsort(joined)
        return Candidates(joined[order], np.concatenate([sources, named])[order])


def best(scores: FloatArray, k: int) -> NDArray[np.intp]:
    """[≤ k] positions of the highest scores, best first; of equal scores the earlier position."""
    if k < len(scores):
        bound = np.partition(scores, -k)[-k] if k else np.inf
        pool = np.flatnonzero(scores >= bound)
    else:
        pool = np.arange(len(scores))
    return pool[np.argsort(-scores[pool], kind="stable")[:k]]


def diversified(
    scores: FloatArray, items: Indexes, content: csr_array, k: int, trade: float
) -> NDArray[np.intp]:
    """[≤ k] positions by maximal marginal relevance: (1 − trade) · score − trade · likeness to those before.

    Scores are scaled to [0, 1] over the best MMR_POOL · k; likeness is the cosine of categories; trade 0 is
    `best`, 1 looks at likeness alone. Never fewer items than `best` gives.

    Carbonell and Goldstein 1998, "The use of MMR, diversity-based reranking".

    Raises:
        ValueError: `trade` is not in [0, 1].
    """
    if not 0 <= trade <= 1:
        raise ValueError(f"diversity trades from 0 (scores alone) to 1 (likeness alone), got {trade}")
    pool = best(scores, k * MMR_POOL if trade else k)
    if not trade or not len(pool):
        return pool
    span = max(float(scores[pool[0]] - scores[pool[-1]]), 1e-9)
    relevance = (1 - trade) * (scores[pool] - scores[pool[-1]]) / span
    rows = content[items[pool]]
    likeness = (rows @ rows.T).toarray()
    chosen, nearest = np.zeros(min(k, len(pool)), np.intp), np.zeros(len(pool))
    for place in range(len(chosen)):
        chosen[place] = np.argmax(relevance - trade * nearest)
        relevance[chosen[place]] = -np.inf
        nearest = np.maximum(nearest, likeness[chosen[place]])
    return pool[chosen]


def _of(candidates: Candidates, items: Indexes) -> Candidates:
    """`items`, with the sources of those that are candidates."""
    sources = np.zeros(len(items), SourceBits)
    places = np.minimum(np.searchsorted(candidates.items, items), max(len(candidates.items) - 1, 0))
    if len(candidates.items):
        found = candidates.items[places] == items
        sources[found] = candidates.sources[places[found]]
    return Candidates(items.astype(np.int32), sources)
