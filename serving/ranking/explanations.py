"""Why an item is answered: the interactions that speak for it, and one sentence a person understands."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from scipy.sparse import csr_array

from serving.ranking.reranking import FEATURES
from serving.ranking.signals import Query
from serving.ranking.sparse_scores import placed
from serving.release.arrays import FloatArray, Indexes
from serving.release.ranking_data import Ranking
from serving.release.sparse import copied_rows

# Interactions that are looked at, the newest ones; each step back, one speaks this much less loudly.
RECENT: Final = 20
DECAY: Final = 0.9
_RECENCY_WEIGHTS: Final = (DECAY ** np.arange(RECENT, dtype=np.float32))[:, np.newaxis]

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
        self._ranking, self._catalog = ranking, ranking.catalog

    def of(
        self,
        query: Query,
        event_types: Sequence[str],
        items: Indexes,
        contributions_over_mean: FloatArray,
        explain: bool,
    ) -> list[Reason]:
        """For the answered `items` [k], distinct; only with `explain` does a reason name its interactions.

        Args:
            event_types: [≥ min(h, RECENT)], of the last of the query's history.
            contributions_over_mean: [k, features] what each feature adds to the item's score beyond its mean;
                the highest one gives the reason.
        """
        if not len(query.history) or not len(items):
            return [Reason("trending", [])] * len(items)
        recent, events = query.history[-RECENT:][::-1], event_types[-RECENT:][::-1]
        voices = _Voices(self._ranking, recent, items)
        because = _because(recent, voices) if explain else [[]] * len(items)
        reasons = []
        for place, (item, order) in enumerate(
            zip(items.tolist(), np.argsort(-contributions_over_mean).tolist(), strict=True)
        ):
            told = (self._tell(FEATURES[term], item, place, voices, events) for term in order)
            reasons.append(Reason(next(filter(None, told), "popular"), because[place]))
        return reasons

    def _tell(self, term: str, item: int, place: int, voices: "_Voices", events: Sequence[str]) -> str:
        """The sentence of a term; empty where nothing stands behind it that a person would know."""
        match term:
            case "transitions":
                return self._about("often follows {title}", voices.follows, place, voices, events)
            case "item_cosine" | "ease" | "als":
                return self._about("because you {verb} {title}", voices.alike, place, voices, events)
            case "interest":
                return self._about("close to {title}, which you {verb}", voices.taste, place, voices, events)
            case "user_cosine":
                return "chosen by people whose taste is like yours"
            case "sequence_knn":
                return "chosen next by people who chose what you did"
            case "content":
                return f"more {categories[0]}" if (categories := self._catalog.categories[item]) else ""
            case "repeats":
                return "you chose it before" if item in voices.recent else ""
            case _:
                return {"popularity": "popular", "trend": "trending"}[term]

    def _about(self, form: str, kind: "_Voice", place: int, voices: "_Voices", events: Sequence[str]) -> str:
        past = kind.loudest[place]
        if past < 0:
            return ""
        item = voices.recent[past]
        title = self._catalog.titles[item] or self._catalog.item_ids[item]
        return form.format(title=title, verb=_VERBS.get(events[past], "chose"))


@dataclass(frozen=True, eq=False)
class _Voice:
    """How loudly each recent interaction speaks for each answered item, in one way."""

    loudness: FloatArray  # [l, k]

    @cached_property
    def loudest(self) -> list[int]:
        """[k] the interaction that speaks loudest, -1 where none does."""
        speaks = self.loudness.max(axis=0) > 0
        loudest: list[int] = np.where(speaks, self.loudness.argmax(axis=0), -1).tolist()
        return loudest


class _Voices:
    """The ways in which recent interactions [l] speak for answered items [k]; most are never needed."""

    def __init__(self, ranking: Ranking, recent: Indexes, items: Indexes) -> None:
        self._ranking, self._recent, self._items = ranking, recent, items
        self.recent = recent.tolist()

    @cached_property
    def follows(self) -> _Voice:
        return self._faded(submatrix(self._ranking.filters.transitions, self._recent, self._items))

    @cached_property
    def alike(self) -> _Voice:
        return self._faded(submatrix(self._ranking.filters.item_cosine, self._recent, self._items))

    @cached_property
    def taste(self) -> _Voice:
        embeddings = self._ranking.item_embeddings
        # The bias in the last place says nothing about likeness.
        products = embeddings[self._recent, :-1] @ embeddings[self._items, :-1].T
        return self._faded(np.maximum(products, 0))

    def _faded(self, loudness: FloatArray) -> _Voice:
        # An item is no reason for itself.
        loudness *= _RECENCY_WEIGHTS[: len(loudness)] * (self._recent[:, np.newaxis] != self._items)
        return _Voice(loudness)


def submatrix(matrix: csr_array, rows: Indexes, columns: Indexes) -> FloatArray:
    """matrix[rows][:, columns], dense float32, at a cost that does not grow with the matrix's width.

    `columns` are distinct.
    """
    found, values, starts = copied_rows(matrix, rows)
    with placed(columns, matrix.shape[1]) as places:
        place = places[found]
    hit = np.flatnonzero(place)
    dense = np.zeros((len(rows), len(columns)), np.float32)
    dense[np.searchsorted(starts, hit, side="right") - 1, place[hit] - 1] = values[hit]
    return dense


def _because(recent: Indexes, voices: _Voices) -> list[list[int]]:
    """[k] lists of the items of the history that speak loudest, all kinds of voice being equal."""
    kinds = (voices.follows.loudness, voices.alike.loudness, voices.taste.loudness)
    together = np.sum([loudness / max(float(loudness.max()), 1e-9) for loudness in kinds], axis=0)
    order = np.argsort(-together, axis=0, kind="stable")
    return [
        list(dict.fromkeys(int(recent[past]) for past in order[:, place] if together[past, place] > 0))[
            :NAMED
        ]
        for place in range(together.shape[1])
    ]
