"""Explanations of answered items: a sentence, and the past items with the most influence."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from serving.ranking.blend_features import FEATURES
from serving.ranking.influences import Influences, prepare
from serving.ranking.query import Query
from serving.ranking.reranking import Reranker
from serving.ranking.signed_history import RECENT
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

# Feature -> sentence about what other users did.
_BY_OTHERS: Final = {
    "user_cosine": "chosen by people with a history like yours",
    "sequence_knn": "chosen next by people who chose the same items",
    "popularity": "popular",
    "trend": "trending",
}

# Where no sentence above is true: some part of the score is above the mean, or none is.
_WHOLE_HISTORY: Final = "fits your choices as a whole"
_BEST_LEFT: Final = "the best of what is left"


@dataclass(frozen=True, slots=True)
class Reason:
    """The reason for one item.

    Attributes:
        sentence: for the user.
        feature: the part of the score that the sentence is about; "" if it is about none.
        because: [≤ MAX_BECAUSE] past items without which the score is lower, the most influential first.
    """

    sentence: str
    feature: str = ""
    because: tuple[int, ...] = ()


class Explainer:
    """Explains answered items; safe to share between threads."""

    def __init__(self, ranking: Ranking, reranker: Reranker) -> None:
        self._catalog, self._reranker, self._weights = ranking.catalog, reranker, reranker.weights
        self._can_raise = np.array([reranker.weights.get(name, 0) > 0 for name in FEATURES])

    def reasons(
        self,
        query: Query,
        event_types: Sequence[str],
        items: Indexes,
        contributions_over_mean: FloatArray,
        explain: bool,
    ) -> Sequence[Reason]:
        """Return the reasons for the answered `items` [k], distinct; `because` only with `explain`.

        Those of the query's last answer are kept, for the same answer again.

        Args:
            event_types: [≥ min(h, RECENT)], of the last interactions of the query's history.
            contributions_over_mean: [k, features] what each feature adds to an item's score, minus its mean.
                The feature with the largest value that a sentence can be said about gives the reason. A
                feature that adds nothing, or whose weight is not positive, gives none.
        """
        if not len(query.history) or not len(items):
            return [Reason("trending")] * len(items)
        inputs = (items.tobytes(), contributions_over_mean.tobytes(), explain)
        return query.last(
            "reasons",
            inputs,
            lambda: self._reasons(query, event_types, items, contributions_over_mean, explain),
        )

    def prepare(self, query: Query) -> None:
        """Compute now what the reasons of any items need of the query's history, which has a vote."""
        prepare(query, self._weights.keys())

    def _reasons(
        self,
        query: Query,
        event_types: Sequence[str],
        items: Indexes,
        contributions_over_mean: FloatArray,
        explain: bool,
    ) -> Sequence[Reason]:
        searches = query.searches.reasons(items) if query.searches else [""] * len(items)
        influences = self._influences(query, items)
        answer = _Answer(query, items.tolist(), searches, influences, event_types[-RECENT:][::-1])
        added = np.where(self._can_raise, contributions_over_mean, 0)
        orders, counts = np.argsort(-added).tolist(), np.count_nonzero(added > 0, axis=1).tolist()
        reasons = [
            self._first_reason(order[:count], answer, position)
            for position, (order, count) in enumerate(zip(orders, counts, strict=True))
        ]
        if not explain:
            return reasons
        because = influences.strongest_items(MAX_BECAUSE)
        return [replace(each, because=tuple(past)) for each, past in zip(reasons, because, strict=True)]

    def _first_reason(self, features: Sequence[int], answer: "_Answer", position: int) -> Reason:
        """Return the reason by the first of the FEATURES that has one; they raise the item's score."""
        for feature in features:
            reason = self._reason(FEATURES[feature], answer, position)
            if reason.sentence:
                return reason
        return Reason(_WHOLE_HISTORY, FEATURES[features[0]]) if features else Reason(_BEST_LEFT)

    def _influences(self, query: Query, items: Indexes) -> Influences:
        transitions = np.zeros(len(items), np.float32)
        if "transitions" in self._weights:
            transitions = self._reranker.features(query, items, ("transitions",))[:, 0]
        return Influences.of(query, items, self._weights, transitions)

    def _reason(self, feature: str, answer: "_Answer", position: int) -> Reason:
        """Return the reason by a feature; without a sentence if no past item or category supports it."""
        item = answer.items[position]
        match feature:
            case "transitions":
                return self._about("often follows {title}", feature, answer, position)
            case "item_cosine" | "ease" | "als":
                return self._about("because you {verb} {title}", feature, answer, position)
            case "interest":
                return self._about("close to {title}, which you {verb}", feature, answer, position)
            case "content":
                return self._by_category(answer.query, item)
            case "search":
                return Reason(answer.searches[position], feature)
            case "repeats" if item in answer.query.history:
                return Reason("you chose it before", feature)
        return Reason(_BY_OTHERS.get(feature, ""), feature)

    def _about(self, form: str, feature: str, answer: "_Answer", position: int) -> Reason:
        """Return a reason that names a past item without which the feature and the score fall."""
        influences = answer.influences
        strongest = influences.strongest[feature][position] if feature in influences.strongest else -1
        if strongest < 0:
            return Reason("")
        past, newest = influences.recent[strongest], influences.newest[strongest]
        title = self._catalog.titles[past] or self._catalog.item_ids[past]
        verb = _VERBS.get(answer.event_types[newest], "chose")
        return Reason(form.format(title=title, verb=verb), feature)

    def _by_category(self, query: Query, item: int) -> Reason:
        """Return a reason that names the item's category with the largest weight in the history."""
        index, profile = self._catalog.category_index, query.content_profile()
        categories = self._catalog.categories[item]
        category = max(categories, key=lambda name: float(profile[index[name]]), default="")
        if not category or profile[index[category]] <= 0:
            return Reason("")
        return Reason(f"more {category}", "content")


@dataclass(frozen=True, eq=False)
class _Answer:
    """What the reasons of one answer share."""

    query: Query
    items: list[int]  # [k]
    searches: Sequence[str]  # [k] the sentence about a search, or ""
    influences: Influences
    event_types: Sequence[str]  # newest first
