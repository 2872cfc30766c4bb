"""Why an item is answered: the interactions that speak for it, and one sentence a person understands."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.sparse import csr_array

from serving.release import FloatArray, Ranking
from serving.reranking import TERMS
from serving.signals import Indexes, Query

# Interactions that are looked at, the newest ones; each step back, one speaks this much less loudly.
RECENT: Final = 20
DECAY: Final = 0.9

# How many interactions an explanation names.
NAMED: Final = 3

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

    def __init__(self, ranking: Ranking) -> None:
        self._catalog, self._filters = ranking.catalog, ranking.filters
        self._embeddings = ranking.item_embeddings

    def of(
        self, query: Query, event_types: Sequence[str], items: Indexes, lifts: FloatArray, explain: bool
    ) -> list[Reason]:
        """For the answered `items` [k], distinct; only with `explain` does a reason name its interactions.

        Args:
            event_types: [h], goes with the query's history.
            lifts: [k, terms], what each term adds to an item beyond what it adds to an ordinary one: the
                highest is the reason.
        """
        if not len(query.history) or not len(items):
            return [Reason("trending", [])] * len(items)
        recent, events = query.history[-RECENT:][::-1], event_types[-RECENT:][::-1]
        voices = self._voices(recent, items)
        because = _because(recent, voices) if explain else [[]] * len(items)
        order = np.argsort(-lifts, axis=1).tolist()
        reasons = []
        for place, item in enumerate(items.tolist()):
            told = (self._tell(TERMS[term], item, place, recent, events, voices) for term in order[place])
            reasons.append(Reason(next(filter(None, told), "popular"), because[place]))
        return reasons

    def _voices(self, recent: Indexes, items: Indexes) -> dict[str, FloatArray]:
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

    def _tell(
        self,
        term: str,
        item: int,
        place: int,
        recent: Indexes,
        events: Sequence[str],
        voices: dict[str, FloatArray],
    ) -> str:
        """The sentence of a term; empty where nothing stands behind it that a person would know."""
        match term:
            case "transitions":
                return self._about("often follows {title}", voices["follows"][:, place], recent, events)
            case "item_cosine" | "ease":
                return self._about("because you {verb} {title}", voices["alike"][:, place], recent, events)
            case "interest":
                form = "close to {title}, which you {verb}"
                return self._about(form, voices["taste"][:, place], recent, events)
            case "user_cosine":
                return "chosen by people whose taste is like yours"
            case "content":
                return f"more {categories[0]}" if (categories := self._catalog.categories[item]) else ""
            case "repeats":
                return "you chose it before" if item in recent else ""
            case _:
                return {"popularity": "popular", "trend": "trending"}[term]

    def _about(self, form: str, voice: FloatArray, recent: Indexes, events: Sequence[str]) -> str:
        loudest = int(voice.argmax())
        if voice[loudest] <= 0:
            return ""
        title = self._catalog.titles[recent[loudest]] or self._catalog.item_ids[recent[loudest]]
        return form.format(title=title, verb=_VERBS.get(events[loudest], "chose"))


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


def _because(recent: Indexes, voices: dict[str, FloatArray]) -> list[list[int]]:
    """[k] lists of the items of the history that speak loudest, all kinds of voice being equal."""
    together = np.sum([voice / max(float(voice.max()), 1e-9) for voice in voices.values()], axis=0)
    order = np.argsort(-together, axis=0, kind="stable")
    return [
        list(dict.fromkeys(int(recent[past]) for past in order[:, place] if together[past, place] > 0))[
            :NAMED
        ]
        for place in range(together.shape[1])
    ]
