"""What is answered without a history: the profile's categories, then whatever is trending."""

from collections.abc import Mapping

import numpy as np

from serving.live_release import LiveRelease, Ranked
from serving.reranking import TERMS
from serving.retrieval import Candidates
from serving.rules import Rules, best


def rank_cold(
    release: LiveRelease, candidates: Candidates, k: int, now: int, profile: Mapping[str, str | float]
) -> tuple[Ranked, str]:
    """The k best candidates, and the step of the ladder that ranked them: "profile" or "trending".

    An attribute of the profile that names categories of the catalog ("Comedy" or "Comedy|Drama") puts their
    items before all others; within both, what is trending comes first.
    """
    items = candidates.items
    scores, step = release.ranking.filters.trend[items], "trending"
    named = profile_categories(profile, release.ranking.catalog.category_index)
    liked = release.rulebook.permitted(Rules(now, categories=named), items) if named else np.zeros(0, bool)
    if liked.any():
        scores, step = scores + liked * (scores.max() + np.float32(1)), "profile"
    chosen = best(scores, k)
    shares = np.zeros((len(chosen), len(TERMS)), np.float32)
    shares[:, TERMS.index("trend")] = scores[chosen]
    return Ranked(items[chosen], candidates.sources[chosen], scores[chosen], shares, shares), step


def profile_categories(profile: Mapping[str, str | float], known: Mapping[str, int]) -> tuple[str, ...]:
    """The categories that text attributes name, in the profile's order."""
    texts = (value for value in profile.values() if isinstance(value, str))
    return tuple(dict.fromkeys(name for text in texts for name in text.split("|") if name in known))
