"""What is answered without a history: the profile's categories, then what trends, among those alike first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from serving.answers import Basis
from serving.ranking.loaded_release import LoadedRelease, RankedItems
from serving.ranking.request import Request
from serving.ranking.reranking import FEATURES
from serving.ranking.retrieval import Candidates
from serving.ranking.rules import Rules
from serving.release.arrays import FloatArray, Indexes

Profile = Mapping[str, str | float]

_SENTENCES: Final = {Basis.SEGMENT_TRENDING: "trending among people like you", Basis.TRENDING: "trending"}


@dataclass(frozen=True, eq=False)
class Cold:
    """Items [m] by the ladder: those that the profile names come before what trends, at one step of it."""

    scores: FloatArray  # [m]
    trend: Basis  # SEGMENT_TRENDING: among users who share attributes; TRENDING: among all
    named: tuple[str, ...]  # categories that the profile names, where an item has one of them

    @property
    def step(self) -> Basis:
        """The highest that has a say."""
        return Basis.PROFILE if self.named else self.trend

    def sentence(self, categories: Sequence[str]) -> str:
        """Why an item of these categories is answered."""
        named = next((name for name in self.named if name in categories), None)
        return f"{named}, as your profile says" if named else _SENTENCES[self.trend]


def rank_cold(
    release: LoadedRelease, candidates: Candidates, request: Request, now: int, profile: Profile
) -> tuple[RankedItems, Basis]:
    """The k best candidates, and the step of the ladder that ranked them.

    PROFILE: an attribute names categories of the catalog ("Comedy" or "Comedy|Drama"), whose items come
    before all others. SEGMENT_TRENDING: what trends among users who share attributes. TRENDING: what
    trends among all.
    """
    cold = cold_scores(release, candidates.items, now, profile)
    # Trends are counts or shares; their logarithm is what a softmax turns into shares.
    order = release.order(candidates, cold.scores, request, logits=np.log(cold.scores + np.float32(1e-9)))
    shares = np.zeros((len(order.places), len(FEATURES)), np.float32)
    shares[:, FEATURES.index("trend")] = cold.scores[order.places]
    categories = release.ranking.catalog.categories
    sentences = [cold.sentence(categories[item]) for item in candidates.items[order.places].tolist()]
    return RankedItems.of(candidates, order, shares, shares, sentences), cold.step


def cold_scores(release: LoadedRelease, items: Indexes, now: int, profile: Profile) -> Cold:
    """Of `items` [m], ascending."""
    filters, catalog = release.ranking.filters, release.ranking.catalog
    scores, trend = filters.trend[items], Basis.TRENDING
    alike = filters.segments.shares(profile, filters.trend, items) if filters.segments and profile else None
    if alike is not None:
        scores, trend = alike, Basis.SEGMENT_TRENDING
    named = profile_categories(profile, catalog.category_index)
    liked = release.item_filter.permitted(Rules(now, categories=named), items) if named else np.zeros(0, bool)
    if not liked.any():
        return Cold(scores, trend, ())
    return Cold(scores + liked * (scores.max() + np.float32(1)), trend, named)


def profile_categories(profile: Profile, known: Mapping[str, int]) -> tuple[str, ...]:
    """The categories that text attributes name, in the profile's order."""
    texts = (value for value in profile.values() if isinstance(value, str))
    return tuple(dict.fromkeys(name for text in texts for name in text.split("|") if name in known))
