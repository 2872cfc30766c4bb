"""Rules of a request: the items that may be answered, and the rule that removes each other item."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from serving.answers import Rule, Source
from serving.ranking.candidate_retrieval import FRESH_INTERACTIONS
from serving.ranking.candidate_set import Candidates, source_bits
from serving.release.arrays import NO_ITEMS, FloatArray, Indexes
from serving.release.catalog import Catalog

# If fewer than k candidates are permitted, this many other permitted items are added, the most popular first.
MAX_ADDED: Final = 1_000

_POPULARITY: Final = source_bits((Source.POPULARITY,))


@dataclass(frozen=True, eq=False)
class Rules:
    """The rules of one request; an empty rule permits everything."""

    now: int  # µs since the epoch; an item must be available at this time
    excluded: Indexes = field(default_factory=lambda: NO_ITEMS)  # the block lists of request and scenario
    seen: Indexes = field(default_factory=lambda: NO_ITEMS)
    disliked: Indexes = field(default_factory=lambda: NO_ITEMS)
    capped: Indexes = field(default_factory=lambda: NO_ITEMS)  # items at the scenario's frequency cap
    allowed: Indexes | None = None  # if not None, only these items are permitted
    domain: str = ""
    categories: tuple[str, ...] = ()  # at least one of them
    excluded_categories: tuple[str, ...] = ()  # none of them
    sources: int = 0  # source bits that candidates must come from; 0 permits all, those without source too


class ItemFilter:
    """Applies rules to the items of a catalog; safe to share between threads."""

    def __init__(self, catalog: Catalog, popularity: FloatArray) -> None:
        """`popularity`: [items]."""
        self._catalog, self._popularity = catalog, popularity
        domains = dict.fromkeys(catalog.domains)
        self._domain_codes = {domain: code for code, domain in enumerate(domains)}
        self._domains = np.array([self._domain_codes[domain] for domain in catalog.domains], np.int32)
        self._all_from = int(catalog.available_from.max(initial=0))
        self._all_until = int(catalog.available_until.min(initial=np.iinfo(np.int64).max))
        self.fresh: NDArray[np.bool_] = popularity < FRESH_INTERACTIONS  # [items]

    def permitted(self, rules: Rules, items: Indexes) -> NDArray[np.bool_]:
        """Return whether each of `items` [m], ascending, is permitted."""
        permitted = np.ones(len(items), bool)
        for _, passed in self._checks(rules, items):
            permitted &= passed
        return permitted

    def removed_by(self, rules: Rules, items: Indexes) -> list[Rule | None]:
        """Return the first rule that removes each of `items` [m], ascending; None for a permitted item."""
        removed: list[Rule | None] = [None] * len(items)
        for rule, passed in self._checks(rules, items):
            for position in np.flatnonzero(~passed):
                removed[position] = removed[position] or rule
        return removed

    def removed_counts(self, rules: Rules) -> dict[Rule, int]:
        """Return how many items of the catalog each rule removes; an item counts at the first one."""
        items = np.arange(len(self._catalog), dtype=np.int32)
        permitted, counts = np.ones(len(items), bool), dict[Rule, int]()
        for rule, passed in self._checks(rules, items):
            counts[rule] = int(np.count_nonzero(permitted & ~passed))
            permitted &= passed
        return counts

    def _checks(self, rules: Rules, items: Indexes) -> Iterator[tuple[Rule, NDArray[np.bool_]]]:
        """Yield each rule that is set, the request's wishes first, and whether each of `items` passes it."""
        catalog, now = self._catalog, rules.now
        if rules.allowed is not None:
            yield Rule.ALLOW_ITEM_IDS, _is_in(items, rules.allowed)
        if rules.domain:
            yield Rule.DOMAIN, self._domains[items] == self._domain_codes.get(rules.domain, -1)
        if rules.categories:
            yield Rule.CATEGORIES, self._has_any_category(rules.categories, items)
        if rules.excluded_categories:
            yield Rule.EXCLUDE_CATEGORIES, ~self._has_any_category(rules.excluded_categories, items)
        if not self._all_from <= now < self._all_until:
            available = (catalog.available_from[items] <= now) & (now < catalog.available_until[items])
            yield Rule.AVAILABILITY, available
        if len(rules.excluded):
            yield Rule.EXCLUDE_ITEM_IDS, ~_is_in(items, rules.excluded)
        if len(rules.disliked):
            yield Rule.DISLIKED, ~_is_in(items, rules.disliked)
        if len(rules.seen):
            yield Rule.SEEN, ~_is_in(items, rules.seen)
        if len(rules.capped):
            yield Rule.FREQUENCY_CAP, ~_is_in(items, rules.capped)

    def _has_any_category(self, categories: tuple[str, ...], items: Indexes) -> NDArray[np.bool_]:
        content, index = self._catalog.content, self._catalog.category_index
        is_listed = np.zeros(content.shape[1], np.float32)
        is_listed[[index[category] for category in categories if category in index]] = 1
        has_any: NDArray[np.bool_] = (content[items] @ is_listed) > 0
        return has_any

    def select(
        self, rules: Rules, candidates: Candidates, k: int, per_category: int | None = None
    ) -> Candidates:
        """Return the permitted candidates, and further permitted items if they are fewer than k.

        So k items are answered whenever k are permitted. The added items have the source POPULARITY; nothing
        is added if the scenario excludes that source. With `per_category`, the most popular items of each
        category are always added, this many each, so that k items are found under a quota per category too.
        """
        if rules.allowed is not None:
            candidates = Candidates(np.unique(rules.allowed), candidates.sources_of)
        if rules.sources:
            candidates = candidates.returned_by(rules.sources)
        is_permitted = self.permitted(rules, candidates.items)
        selected = Candidates(candidates.items[is_permitted], candidates.sources_of)
        enough = len(selected.items) >= min(k, len(self._catalog)) and per_category is None
        if enough or rules.allowed is not None or (rules.sources and not rules.sources & _POPULARITY):
            return selected
        others = np.setdiff1d(np.arange(len(self._catalog), dtype=np.int32), candidates.items)
        others = others[self.permitted(rules, others)]
        others = others[np.argsort(-self._popularity[others], kind="stable")]
        if per_category is None:
            return selected.union(others[: max(MAX_ADDED, k)], Source.POPULARITY)
        return selected.union(self._first_of_each(others, per_category, k), Source.POPULARITY)

    def _first_of_each(self, items: Indexes, per_category: int, k: int) -> Indexes:
        """Return the first `per_category` of `items` in each category, and the first k without a category."""
        by_category = self._catalog.content[items].tocsc()
        starts = np.repeat(by_category.indptr[:-1], np.diff(by_category.indptr))
        first = by_category.indices[np.arange(by_category.nnz) - starts < per_category]
        without_category = np.flatnonzero(np.diff(self._catalog.content[items].indptr) == 0)[:k]
        selected: Indexes = items[np.union1d(first, without_category)]
        return selected


def _is_in(items: Indexes, others: Indexes) -> NDArray[np.bool_]:
    """Return whether each of `items` [m], ascending and distinct, is in `others`."""
    is_in = np.zeros(len(items), bool)
    if len(items) and len(items) == items[-1] + 1:  # all indexes from 0: an item's position is its index
        is_in[others[others < len(items)]] = True
    elif len(items):
        positions = np.minimum(np.searchsorted(items, others), len(items) - 1)
        is_in[positions[items[positions] == others]] = True
    return is_in
