"""Explanations of answered items: a sentence, and the past items with the most influence."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from scipy.sparse import csr_array

from serving.ranking.query import Query
from serving.ranking.reranking import FEATURES
from serving.ranking.sparse_scores import positions_of
from serving.release.arrays import FloatArray, Indexes
from serving.release.ranking_data import Ranking
from serving.release.sparse import copy_rows

# Only the newest interactions explain an item; the weight falls by this factor with each step of age, faster
# than in the scores, because a reason from long ago does not convince.
RECENT: Final = 20
REASON_DECAY: Final = 0.9
_RECENCY_WEIGHTS: Final = (REASON_DECAY ** np.arange(RECENT, dtype=np.float32))[:, np.newaxis]

# The most past items that an explanation lists.
MAX_BECAUSE: Final = 3

# Event type -> verb of the sentence; all other event types use "chose".
_VERBS: Final = {
    "click": "clicked",
    "like": "liked",
    "listen": "listened to",
    "play": "played",
    "purchase": "bought",
    "rate": "rated",
    "read": "read",
    "view": "viewed",
    "watch": "watched",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """The reason for one item; `because` [≤ MAX_BECAUSE] are past items, the most influential first."""

    sentence: str
    because: list[int]


class Explainer:
    """Explains answered items; safe to share between threads."""

    def __init__(self, ranking: Ranking) -> None:
        self._ranking, self._catalog = ranking, ranking.catalog

    def reasons(
        self,
        query: Query,
        event_types: Sequence[str],
        items: Indexes,
        contributions_over_mean: FloatArray,
        explain: bool,
    ) -> list[Reason]:
        """Return the reasons for the answered `items` [k], distinct; past items only with `explain`.

        Args:
            event_types: [≥ min(h, RECENT)], of the last interactions of the query's history.
            contributions_over_mean: [k, features] what each feature adds to an item's score, minus its mean.
                The feature with the largest value gives the sentence.
        """
        if not len(query.history) or not len(items):
            return [Reason("trending", [])] * len(items)
        influences = _Influences(self._ranking, query.history[-RECENT:][::-1], items)
        events = event_types[-RECENT:][::-1]
        because = _because(influences) if explain else [[]] * len(items)
        orders = np.argsort(-contributions_over_mean).tolist()
        reasons = []
        for position, (item, order) in enumerate(zip(items.tolist(), orders, strict=True)):
            sentences = (
                self._sentence(FEATURES[feature], item, position, influences, events) for feature in order
            )
            reasons.append(Reason(next(filter(None, sentences), "popular"), because[position]))
        return reasons

    def _sentence(
        self, feature: str, item: int, position: int, influences: "_Influences", events: Sequence[str]
    ) -> str:
        """Return the sentence of a feature; empty if no past item or category supports it."""
        match feature:
            case "transitions":
                form, influence = "often follows {title}", influences.transitions
            case "item_cosine" | "ease" | "als":
                form, influence = "because you {verb} {title}", influences.item_cosine
            case "interest":
                form, influence = "close to {title}, which you {verb}", influences.embeddings
            case "user_cosine":
                return "chosen by people whose taste is like yours"
            case "sequence_knn":
                return "chosen next by people who chose what you did"
            case "content":
                return f"more {categories[0]}" if (categories := self._catalog.categories[item]) else ""
            case "repeats":
                return "you chose it before" if item in influences.recent_items else ""
            case _:
                return {"popularity": "popular", "trend": "trending"}[feature]
        past = influence.strongest[position]
        return self._about(form, influences.recent_items[past], events[past]) if past >= 0 else ""

    def _about(self, form: str, item: int, event_type: str) -> str:
        title = self._catalog.titles[item] or self._catalog.item_ids[item]
        return form.format(title=title, verb=_VERBS.get(event_type, "chose"))


@dataclass(frozen=True, eq=False)
class _Influence:
    """The influence of each recent interaction on each answered item, of one kind."""

    values: FloatArray  # [recent, k]

    @cached_property
    def strongest(self) -> list[int]:
        """[k] position of the most influential interaction, -1 where none has any."""
        has_any = self.values.max(axis=0) > 0
        strongest: list[int] = np.where(has_any, self.values.argmax(axis=0), -1).tolist()
        return strongest


class _Influences:
    """The kinds of influence of recent items on answered items [k], computed on first use."""

    def __init__(self, ranking: Ranking, recent: Indexes, items: Indexes) -> None:
        """`recent`: item indexes, newest first."""
        self._ranking, self._recent, self._items = ranking, recent, items
        self.recent_items = recent.tolist()

    @cached_property
    def transitions(self) -> _Influence:
        return self._by_recency(submatrix(self._ranking.filters.transitions, self._recent, self._items))

    @cached_property
    def item_cosine(self) -> _Influence:
        return self._by_recency(submatrix(self._ranking.filters.item_cosine, self._recent, self._items))

    @cached_property
    def embeddings(self) -> _Influence:
        embeddings = self._ranking.item_embeddings
        # The last column is the item's bias, which does not measure similarity.
        products = embeddings[self._recent, :-1] @ embeddings[self._items, :-1].T
        return self._by_recency(np.maximum(products, 0))

    def _by_recency(self, values: FloatArray) -> _Influence:
        # An item is not a reason for itself.
        values *= _RECENCY_WEIGHTS[: len(values)] * (self._recent[:, np.newaxis] != self._items)
        return _Influence(values)


def submatrix(matrix: csr_array, rows: Indexes, columns: Indexes) -> FloatArray:
    """Return matrix[rows][:, columns], dense float32, at a cost independent of the matrix's width.

    `columns` are distinct.
    """
    row_columns, values, offsets = copy_rows(matrix, rows)
    with positions_of(columns, matrix.shape[1]) as positions:
        position = positions[row_columns]
    entries = np.flatnonzero(position)
    dense = np.zeros((len(rows), len(columns)), np.float32)
    dense[np.searchsorted(offsets, entries, side="right") - 1, position[entries] - 1] = values[entries]
    return dense


def _because(influences: _Influences) -> list[list[int]]:
    """Return [k] lists of the past items with the largest sum of influences, each kind scaled to 1."""
    kinds = (influences.transitions.values, influences.item_cosine.values, influences.embeddings.values)
    total = np.sum([values / max(float(values.max()), 1e-9) for values in kinds], axis=0)
    order = np.argsort(-total, axis=0, kind="stable")
    because = []
    for item in range(total.shape[1]):
        past = (influences.recent_items[position] for position in order[:, item] if total[position, item] > 0)
        because.append(list(dict.fromkeys(past))[:MAX_BECAUSE])
    return because
