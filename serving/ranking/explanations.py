"""Explanations of answered items: a sentence, and the past items with the most influence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from serving.ranking.blend_features import FEATURES
from serving.ranking.influences import RECENT, Influences
from serving.ranking.query import Query
from serving.release.arrays import FloatArray, Indexes
from serving.release.ranking_data import Ranking

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
        searches = query.searches.reasons(items) if query.searches else [""] * len(items)
        votes = None if query.votes is None else query.votes[-RECENT:][::-1]
        influences = Influences(self._ranking, query.history[-RECENT:][::-1], items, votes)
        events = event_types[-RECENT:][::-1]
        because = influences.strongest_items(MAX_BECAUSE) if explain else [[]] * len(items)
        orders = np.argsort(-contributions_over_mean).tolist()
        reasons = []
        for position, (item, order) in enumerate(zip(items.tolist(), orders, strict=True)):
            sentences = (
                searches[position]
                if FEATURES[feature] == "search"
                else self._sentence(FEATURES[feature], item, position, influences, events)
                for feature in order
            )
            reasons.append(Reason(next(filter(None, sentences), "popular"), because[position]))
        return reasons

    def _sentence(
        self, feature: str, item: int, position: int, influences: Influences, events: Sequence[str]
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
                return "chosen by people with a history like yours"
            case "sequence_knn":
                return "chosen next by people who chose the same items"
            case "content":
                return f"more {categories[0]}" if (categories := self._catalog.categories[item]) else ""
            case "repeats":
                return "you chose it before" if item in influences.recent_items else ""
            case "dislikes":
                return ""  # an item is not chosen because others are disliked
            case _:
                return {"popularity": "popular", "trend": "trending"}[feature]
        past = influence.strongest[position]
        return self._about(form, influences.recent_items[past], events[past]) if past >= 0 else ""

    def _about(self, form: str, item: int, event_type: str) -> str:
        title = self._catalog.titles[item] or self._catalog.item_ids[item]
        return form.format(title=title, verb=_VERBS.get(event_type, "chose"))
