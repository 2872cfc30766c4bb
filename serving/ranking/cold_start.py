"""Ranking without a history: by the profile's categories, then by trend."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from serving.answers import Basis
from serving.ranking.blend_features import FEATURES
from serving.ranking.candidate_set import Candidates
from serving.ranking.dislikes import DISLIKE_WEIGHT, Dislikes
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.ranked_items import RankedItems
from serving.ranking.request import Request
from serving.ranking.rules import Rules
from serving.release.arrays import FloatArray, Indexes

Profile = Mapping[str, str | float]

_SENTENCES: Final = {Basis.SEGMENT_TRENDING: "trending among people like you", Basis.TRENDING: "trending"}


@dataclass(frozen=True, eq=False)
class ColdScores:
    """Scores of items [m]; items in the profile's categories score higher than all others."""

    scores: FloatArray  # [m]
    without_dislikes: FloatArray  # [m]
    trend: Basis  # SEGMENT_TRENDING: trend among users who share attributes; TRENDING: among all users
    categories: tuple[str, ...]  # the profile's categories; empty if no item has one of them

    @property
    def basis(self) -> Basis:
        """PROFILE if the profile has categories of these items, else the trend."""
        return Basis.PROFILE if self.categories else self.trend

    def sentence(self, categories: Sequence[str]) -> str:
        """Return the reason for an item with these categories."""
        shared = next((category for category in self.categories if category in categories), None)
        return f"{shared}, as your profile says" if shared else _SENTENCES[self.trend]


def rank_cold(
    release: LoadedRelease,
    candidates: Candidates,
    request: Request,
    now: int,
    profile: Profile,
    dislikes: Dislikes | None = None,
) -> tuple[RankedItems, Basis]:
    """Return the k best candidates, and the basis of their ranking.

    PROFILE: an attribute lists categories of the catalog ("Comedy" or "Comedy|Drama"), whose items come
    before all others. SEGMENT_TRENDING: by trend among users who share attributes. TRENDING: by trend among
    all users.
    """
    cold = cold_scores(release, candidates.items, now, profile, dislikes)
    # Trends are counts or shares: the softmax of their logarithm gives shares.
    logits = np.log(cold.scores + np.float32(1e-9))
    selection = release.select(candidates, cold.scores, cold.without_dislikes, request, logits)
    contributions = np.zeros((len(selection.positions), len(FEATURES)), np.float32)
    without, scores = cold.without_dislikes[selection.positions], cold.scores[selection.positions]
    contributions[:, FEATURES.index("trend")] = without
    contributions[:, FEATURES.index("dislikes")] = scores - without
    categories = release.ranking.catalog.categories
    items = candidates.items[selection.positions].tolist()
    sentences = [cold.sentence(categories[item]) for item in items]
    return RankedItems.of(candidates, selection, contributions, contributions, sentences), cold.basis


def cold_scores(
    release: LoadedRelease, items: Indexes, now: int, profile: Profile, dislikes: Dislikes | None = None
) -> ColdScores:
    """Return the scores of `items` [m], ascending; `now`: µs since the epoch.

    Dislikes divide an item's share of the trend as they divide the odds in the blend.
    """
    cold = _without_dislikes(release, items, now, profile)
    if dislikes is None:
        return cold
    return replace(cold, scores=cold.scores * np.exp(dislikes.of_items(items) * np.float32(DISLIKE_WEIGHT)))


def _without_dislikes(release: LoadedRelease, items: Indexes, now: int, profile: Profile) -> ColdScores:
    filters, catalog = release.ranking.filters, release.ranking.catalog
    scores, trend = filters.trend[items], Basis.TRENDING
    shares = filters.segments.shares(profile, filters.trend, items) if filters.segments and profile else None
    if shares is not None:
        scores, trend = shares, Basis.SEGMENT_TRENDING
    categories = _profile_categories(profile, catalog.category_index)
    if not categories:
        return ColdScores(scores, scores, trend, ())
    in_profile = release.item_filter.permitted(Rules(now, categories=categories), items)
    if not in_profile.any():
        return ColdScores(scores, scores, trend, ())
    scores = scores + in_profile * (scores.max() + np.float32(1))
    return ColdScores(scores, scores, trend, categories)


def _profile_categories(profile: Profile, category_index: Mapping[str, int]) -> tuple[str, ...]:
    """Return the catalog's categories that text attributes list, in the profile's order."""
    texts = (value for value in profile.values() if isinstance(value, str))
    listed = (category for text in texts for category in text.split("|"))
    return tuple(dict.fromkeys(category for category in listed if category in category_index))
