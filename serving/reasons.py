"""Why an item is answered: the interactions that speak for it, and one sentence a person understands."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from serving.release import FloatArray, Ranking
from serving.reranking import TERMS, Reranker
from serving.signals import Indexes, Query

# Interactions that are looked at, the newest ones; each step back, one speaks this much less loudly.
RECENT: Final = 20
DECAY: Final = 0.9

# How many interactions an explanation names.
NAMED: Final = 3

# An answered item is compared with so many popular ones: what lifts it most above them is the reason.
_COMMON: Final = 50

# Event type -> what the person did; another event type is not put into words.
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
    """One item's; `because` [≤ NAMED] are item indexes of the history, the strongest first."""

    sentence: str
    because: list[int]


class Reasons:
    """Gives reasons from a release; safe to share between threads."""

    def __init__(self, ranking: Ranking, reranker: Reranker) -> None:
        self._catalog, self._filters, self._reranker = ranking.catalog, ranking.filters, reranker
        self._embeddings = ranking.item_embeddings
        self._common = np.argsort(-ranking.filters.popularity, kind="stable")[:_COMMON].astype(np.int32)

    def of(self, query: Query, event_types: Sequence[str], items: Indexes) -> list[Reason]:
        """For `items` [k], distinct; `event_types` [h] goes with the query's history."""
        if not len(query.history) or not len(items):
            return [Reason("trending", [])] * len(items)
        recent, events = query.history[-RECENT:][::-1], event_types[-RECENT:][::-1]
        speaking = self._speaking(recent, items)
        together = np.sum([matrix / max(float(matrix.max()), 1e-9) for matrix in speaking.values()], axis=0)
        order = np.argsort(-self._lifts(query, items), axis=1, kind="stable")
        reasons = []
        for place, item in enumerate(items.tolist()):
            voices = {kind: matrix[:, place] for kind, matrix in speaking.items()}
            because = _strongest(recent, together[:, place])
            told = (self._tell(TERMS[term], item, recent, events, voices) for term in order[place])
            reasons.append(Reason(next(filter(None, told), "popular"), because))
        return reasons

    def _speaking(self, recent: Indexes, items: Indexes) -> dict[str, FloatArray]:
        """Kind of voice -> [l, k]: how loudly each recent interaction speaks for each item."""
        fading = (DECAY ** np.arange(len(recent), dtype=np.float32))[:, np.newaxis]
        fading = fading * (recent[:, np.newaxis] != items)  # an item is no reason for itself
        # The bias in the last place says nothing about likeness.
        taste = self._embeddings[recent, :-1] @ self._embeddings[items, :-1].T
        return {
            "follows": submatrix(self._filters.transitions, recent, items) * fading,
            "alike": submatrix(self._filters.item_cosine, recent, items) * fading,
            "taste": np.maximum(taste, 0) * fading,
        }

    def _lifts(self, query: Query, items: Indexes) -> FloatArray:
        """[k, terms]: what each term adds to an item's score beyond what it adds to a popular item's."""
        both = np.union1d(items, self._common).astype(np.int32)
        contributions = self._reranker.contributions(query, both)
        common = contributions[np.searchsorted(both, self._common)].mean(axis=0)
        lifts: FloatArray = contributions[np.searchsorted(both, items)] - common
        return lifts

    def _tell(
        self, term: str, item: int, recent: Indexes, events: Sequence[str], voices: dict[str, FloatArray]
    ) -> str:
        """The sentence of a term; empty where nothing stands behind it that a person would know."""
        match term:
            case "transitions":
                return self._about("often follows {title}", "follows", recent, events, voices)
            case "item_cosine" | "ease":
                return self._about("because you {verb} {title}", "alike", recent, events, voices)
            case "interest":
                return self._about("close to {title}, which you {verb}", "taste", recent, events, voices)
            case "user_cosine":
                return "chosen by people whose taste is like yours"
            case "content":
                return f"more {categories[0]}" if (categories := self._catalog.categories[item]) else ""
            case "repeats":
                return "you chose it before" if item in recent else ""
            case _:
                return {"popularity": "popular", "trend": "trending"}[term]

    def _about(
        self, form: str, kind: str, recent: Indexes, events: Sequence[str], voices: dict[str, FloatArray]
    ) -> str:
        place = int(np.argmax(voices[kind]))
        if voices[kind][place] <= 0:
            return ""
        title = self._catalog.titles[recent[place]] or self._catalog.item_ids[recent[place]]
        return form.format(title=title, verb=_VERBS.get(events[place], "chose"))


def submatrix(matrix: csr_array, rows: Indexes, columns: Indexes) -> FloatArray:
    """matrix[rows][:, columns], dense float32, at a cost that does not grow with the matrix's width.

    `columns` are distinct.
    """
    starts = matrix.indptr[rows]
    lengths = matrix.indptr[rows + 1] - starts
    row_of = np.repeat(np.arange(len(rows)), lengths)
    entries = np.arange(len(row_of)) + np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
    order = np.argsort(columns)
    found = matrix.indices[entries]
    place = order[np.minimum(np.searchsorted(columns, found, sorter=order), len(columns) - 1)]
    hit = columns[place] == found
    dense = np.zeros((len(rows), len(columns)), np.float32)
    dense[row_of[hit], place[hit]] = matrix.data[entries[hit]]
    return dense


def _strongest(recent: Indexes, loudness: NDArray[np.float32]) -> list[int]:
    order = np.argsort(-loudness, kind="stable")
    named = (int(recent[place]) for place in order if loudness[place] > 0)
    return list(dict.fromkeys(named))[:NAMED]
