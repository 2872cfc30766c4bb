"""Which items may be answered at all, and by which rule another one may not."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from serving.answers import Rule, Source
from serving.ranking.retrieval import FRESH_INTERACTIONS, SOURCES, Candidates, SourceBits
from serving.release.arrays import FloatArray, Indexes
from serving.release.catalog import Catalog

NO_ITEMS: Final[Indexes] = np.zeros(0, np.int32)

# Where the candidates leave fewer than k, so many permitted items join them, the most popular first.
MAX_JOINING: Final = 1_000

_POPULARITY: Final = 1 << SOURCES.index(Source.POPULARITY)


@dataclass(frozen=True, eq=False)
class Rules:
    """One request's; an empty rule permits everything."""

    now: int  # µs since the epoch, the moment that an item must be available at
    excluded: Indexes = field(default_factory=lambda: NO_ITEMS)  # the request's block list
    seen: Indexes = field(default_factory=lambda: NO_ITEMS)
    shown: Indexes = field(default_factory=lambda: NO_ITEMS)  # as often as the scenario's frequency cap
    allowed: Indexes | None = None  # nothing else is answered
    domain: str = ""
    categories: tuple[str, ...] = ()  # any of them
    excluded_categories: tuple[str, ...] = ()  # none of them
    sources: int = 0  # bits of the candidate sources to draw from; 0 is all, and those that no source named


class ItemFilter:
    """What the rules ask of a catalog's items, looked up in arrays; safe to share between threads."""

    def __init__(self, catalog: Catalog, popularity: FloatArray) -> None:
        """`popularity`: [items]."""
        self._catalog, self._popularity = catalog, popularity
        names = dict.fromkeys(catalog.domains)
        self._domain_codes = {name: code for code, name in enumerate(names)}
        self._domains = np.array([self._domain_codes[name] for name in catalog.domains], np.int32)
        self._all_from = int(catalog.available_from.max(initial=0))
        self._all_until = int(catalog.available_until.min(initial=np.iinfo(np.int64).max))
        self.fresh: NDArray[np.bool_] = popularity < FRESH_INTERACTIONS  # [items]

    def permitted(self, rules: Rules, items: Indexes) -> NDArray[np.bool_]:
        """[m] whether each of `items` [m], ascending, may be answered."""
        permitted = np.ones(len(items), bool)
        for _, passed in self._checks(rules, items):
            permitted &= passed
        return permitted

    def removed_by(self, rules: Rules, items: Indexes) -> list[Rule | None]:
        """Return the first rule that removes each of `items` [m], ascending; None for a permitted item."""
        removed: list[Rule | None] = [None] * len(items)
        for rule, passed in self._checks(rules, items):
            for place in np.flatnonzero(~passed):
                removed[place] = removed[place] or rule
        return removed

    def _checks(self, rules: Rules, items: Indexes) -> Iterator[tuple[Rule, NDArray[np.bool_]]]:
        """Of each rule that asks for something its name, and whether each of `items` passes it."""
        catalog, now = self._catalog, rules.now
        if not self._all_from <= now < self._all_until:
            begun, over = catalog.available_from[items] <= now, catalog.available_until[items] <= now
            yield Rule.AVAILABILITY, begun & ~over
        if len(rules.excluded):
            yield Rule.EXCLUDE_ITEM_IDS, ~_among(items, rules.excluded)
        if len(rules.seen):
            yield Rule.SEEN, ~_among(items, rules.seen)
        if len(rules.shown):
            yield Rule.FREQUENCY_CAP, ~_among(items, rules.shown)
        if rules.allowed is not None:
            yield Rule.ALLOW_ITEM_IDS, _among(items, rules.allowed)
        if rules.domain:
            yield Rule.DOMAIN, self._domains[items] == self._domain_codes.get(rules.domain, -1)
        if rules.categories:
            yield Rule.CATEGORIES, self._in_any(rules.categories, items)
        if rules.excluded_categories:
            yield Rule.EXCLUDE_CATEGORIES, ~self._in_any(rules.excluded_categories, items)

    def _in_any(self, categories: tuple[str, ...], items: Indexes) -> NDArray[np.bool_]:
        catalog = self._catalog
        columns = [catalog.category_index.get(category, -1) for category in categories]
        wanted = np.zeros(catalog.content.shape[1], np.float32)
        wanted[[column for column in columns if column >= 0]] = 1
        found: NDArray[np.bool_] = (catalog.content[items] @ wanted) > 0
        return found

    def select(
        self, rules: Rules, candidates: Candidates, k: int, per_category: int | None = None
    ) -> Candidates:
        """The permitted candidates; where they are fewer than k, permitted items beside them join.

        So k items are answered whenever k are permitted. Who joins is named by "popularity"; where the
        scenario leaves that source out, nobody does. With `per_category`, so many of each category join
        whatever the candidates are, so that k are found under a limit for each category too.
        """
        if rules.allowed is not None:
            candidates = Candidates(np.unique(rules.allowed), candidates.naming)
        if rules.sources:
            candidates = _drawn_from(candidates, rules.sources)
        kept = self.permitted(rules, candidates.items)
        chosen = Candidates(candidates.items[kept], candidates.naming)
        enough = len(chosen.items) >= min(k, len(self._catalog)) and per_category is None
        if enough or rules.allowed is not None or (rules.sources and not rules.sources & _POPULARITY):
            return chosen
        others = np.setdiff1d(np.arange(len(self._catalog), dtype=np.int32), candidates.items)
        others = others[self.permitted(rules, others)]
        others = others[np.argsort(-self._popularity[others], kind="stable")]
        if per_category is None:
            return joined(chosen, others[: max(MAX_JOINING, k)], Source.POPULARITY)
        return joined(chosen, self._first_of_each(others, per_category, k), Source.POPULARITY)

    def _first_of_each(self, items: Indexes, per_category: int, k: int) -> Indexes:
        """Of `items` the first `per_category` of each category, and the first k that have none."""
        by_category = self._catalog.content[items].tocsc()
        starts = np.repeat(by_category.indptr[:-1], np.diff(by_category.indptr))
        first = by_category.indices[np.arange(by_category.nnz) - starts < per_category]
        bare = np.flatnonzero(np.diff(self._catalog.content[items].indptr) == 0)[:k]
        chosen: Indexes = items[np.union1d(first, bare)]
        return chosen


def joined(candidates: Candidates, items: Indexes, source: Source | None) -> Candidates:
    """Return the union of the candidates and `items`, adding `source` to the sources of `items`."""
    both = np.union1d(candidates.items, items).astype(np.int32)
    if source is None:
        return Candidates(both, candidates.naming)
    bit = SourceBits(1 << SOURCES.index(source))
    return Candidates(both, lambda asked: candidates.naming(asked) | np.isin(asked, items) * bit)


def bits(sources: tuple[str, ...]) -> int:
    """Their names as bits of Candidates.sources."""
    return sum(1 << SOURCES.index(source) for source in sources)


def best(scores: FloatArray, k: int) -> NDArray[np.intp]:
    """[≤ k] positions of the highest scores, best first; of equal scores the earlier position."""
    if k < len(scores):
        bound = np.partition(scores, -k)[-k] if k else np.inf
        pool = np.flatnonzero(scores >= bound)
    else:
        pool = np.arange(len(scores))
    return pool[np.argsort(-scores[pool], kind="stable")[:k]]


def _among(items: Indexes, some: Indexes) -> NDArray[np.bool_]:
    """[m] which of `items` [m], ascending and distinct, are among `some`."""
    among = np.zeros(len(items), bool)
    if len(items) and len(items) == items[-1] + 1:  # every item: each stands at its own place
        among[some[some < len(items)]] = True
    elif len(items):
        places = np.minimum(np.searchsorted(items, some), len(items) - 1)
        among[places[items[places] == some]] = True
    return among


def _drawn_from(candidates: Candidates, sources: int) -> Candidates:
    bits = SourceBits(sources)
    named = (candidates.sources & bits) > 0
    return Candidates(candidates.items[named], lambda asked: candidates.naming(asked) & bits)
