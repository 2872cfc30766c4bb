"""What is answered without a history: the profile's categories, then whatever is trending."""

from collections.abc import Mapping

import numpy as np

from serving.live_release import LiveRelease
from serving.release import FloatArray
from serving.rules import Rules
from serving.signals import Indexes


def cold_scores(
    release: LiveRelease, items: Indexes, now: int, profile: Mapping[str, str | float]
) -> tuple[FloatArray, str]:
    """[m] float32 scores of `items` [m], and the step of the ladder: "profile" or "trending".

    An attribute of the profile that names categories of the catalog ("Comedy" or "Comedy|Drama") puts their
    items before all others; within both, what is trending comes first.
    """
    trend = release.ranking.filters.trend[items]
    named = profile_categories(profile, release.ranking.catalog.category_index)
    if not named or not len(items):
        return trend, "trending"
    liked = release.rulebook.permitted(Rules(now, categories=named), items)
    scores = trend + liked * (trend.max() + np.float32(1))
    return scores, "profile" if liked.any() else "trending"


def profile_categories(profile: Mapping[str, str | float], known: Mapping[str, int]) -> tuple[str, ...]:
    """The categories that text attributes name, in the profile's order."""
    texts = (value for value in profile.values() if isinstance(value, str))
    return tuple(dict.fromkeys(name for text in texts for name in text.split("|") if name in known))
