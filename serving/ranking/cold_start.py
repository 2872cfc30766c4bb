"""Ranking without a history: by the last searches, the profile's categories, then by trend."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from serving.answers import Basis
from serving.ranking.blend_features import FEATURES
from serving.ranking.candidate_set import Candidates
from serving.ranking.dislikes import DISLIKE_WEIGHT
from serving.ranking.loaded_release import LoadedRelease
from serving.ranking.query import Query
from serving.ranking.ranked_items import RankedItems
from serving.ranking.request import Request
from serving.ranking.rules import Rules
from serving.release.arrays import FloatArray, Indexes

Profile = Mapping[str, str | float]

_SENTENCES: Final = {Basis.SEGMENT_TRENDING: "trending among people like you", Basis.TRENDING: "trending"}


@dataclass(frozen=True, eq=False)
class ColdScores:
    """Scores of items [m]: matches of a search come first, then the profile's categories, then the trend."""

    scores: FloatArray  # [m]
    without_dislikes: FloatArray  # [m]
    trend: Basis  # SEGMENT_TRENDING: trend among users who share attributes; TRENDING: among all users
    categories: tuple[str, ...]  # the profile's categories; empty if no item has one of them
    search: FloatArray | None = None  # [m] the part of the scores that searches add; None if none matches

    @property
    def basis(self) -> Basis:
        """SEARCH if an item matches, PROFILE if the profile has categories of these items, else the trend."""
        if self.search is not None:
            return Basis.SEARCH
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
    query: Query,
) -> tuple[RankedItems, Basis]:
    """Return the k best candidates, and the basis of their ranking.

    SEARCH: the items that match the user's last searches come before all others. PROFILE: an attribute lists
    categories of the catalog ("Comedy" or "Comedy|Drama"), whose items come before all others.
    SEGMENT_TRENDING: by trend among users who share attributes. TRENDING: by trend among all users.
    """
    cold = cold_scores(release, candidates.items, now, profile, query)
    selection = release.select(candidates, cold.scores, cold.without_dislikes, request, log_shares)
    contributions = np.zeros((len(selection.positions), len(FEATURES)), np.float32)
    without, scores = cold.without_dislikes[selection.positions], cold.scores[selection.positions]
    search = np.float32(0) if cold.search is None else cold.search[selection.positions]
    contributions[:, FEATURES.index("trend")] = without - search
    contributions[:, FEATURES.index("search")] = search
    contributions[:, FEATURES.index("dislikes")] = scores - without
    items = candidates.items[selection.positions]
    by_search = query.searches.reasons(items) if query.searches else [""] * len(items)
    categories = release.ranking.catalog.categories
    sentences = [
        reason or cold.sentence(categories[item])
        for item, reason in zip(items.tolist(), by_search, strict=True)
    ]
    return RankedItems.of(candidates, selection, contributions, contributions, sentences), cold.basis


def log_shares(scores: FloatArray) -> FloatArray:
    """Return the logarithm: trends are counts or shares, and its softmax gives shares."""
    logarithms: FloatArray = np.log(scores + np.float32(1e-9))
    return logarithms


def cold_scores(
    release: LoadedRelease, items: Indexes, now: int, profile: Profile, query: Query
) -> ColdScores:
    """Return the scores of `items` [m], ascending; `now`: µs since the epoch.

    Dislikes divide an item's share of the trend as they divide the odds in the blend.
    """
    cold = _with_searches(_by_profile_and_trend(release, items, now, profile), items, query)
    if query.dislikes is None:
        return cold
    likeness = query.dislikes.of_items(items)
    return replace(cold, scores=cold.scores * np.exp(likeness * np.float32(DISLIKE_WEIGHT)))


def _with_searches(cold: ColdScores, items: Indexes, query: Query) -> ColdScores:
    found = query.search_matches()
    matches = None if found is None else found.at(items)
    if matches is None or not matches.any():
        return cold
    added = matches * (cold.scores.max() + np.float32(1))
    scores = cold.scores + added
    return replace(cold, scores=scores, without_dislikes=scores, search=added)


def _by_profile_and_trend(release: LoadedRelease, items: Indexes, now: int, profile: Profile) -> ColdScores:
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
