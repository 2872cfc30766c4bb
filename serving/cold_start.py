"""What is answered without a history: the profile's categories, then what trends, among those alike first."""

from collections.abc import Mapping

import numpy as np

from serving.live_release import LiveRelease, Ranked
from serving.release import FloatArray
from serving.request import Request
from serving.reranking import TERMS
from serving.retrieval import Candidates
from serving.rules import Rules
from serving.signals import Indexes

Profile = Mapping[str, str | float]

_SENTENCES = {"segment trending": "trending among people like you"}


def rank_cold(
    release: LiveRelease, candidates: Candidates, request: Request, now: int, profile: Profile
) -> tuple[Ranked, str]:
    """The k best candidates, and the step of the ladder that ranked them.

    "profile": an attribute names categories of the catalog ("Comedy" or "Comedy|Drama"), whose items come
    before all others. "segment trending": what trends among users who share attributes. "trending": what
    trends among all.
    """
    scores, step = cold_scores(release, candidates.items, now, profile)
    # Trends are counts or shares; their logarithm is what a softmax turns into shares.
    order = release.order(candidates, scores, request, logits=np.log(scores + np.float32(1e-9)))
    shares = np.zeros((len(order.places), len(TERMS)), np.float32)
    shares[:, TERMS.index("trend")] = scores[order.places]
    return Ranked.of(candidates, order, shares, shares, _SENTENCES.get(step, "")), step


def cold_scores(release: LiveRelease, items: Indexes, now: int, profile: Profile) -> tuple[FloatArray, str]:
    """[m] of `items` [m], and the step of the ladder that they come from."""
    filters, catalog = release.ranking.filters, release.ranking.catalog
    scores, step = filters.trend[items], "trending"
    alike = filters.segments.shares(profile, filters.trend, items) if filters.segments and profile else None
    if alike is not None:
        scores, step = alike, "segment trending"
    named = profile_categories(profile, catalog.category_index)
    liked = release.rulebook.permitted(Rules(now, categories=named), items) if named else np.zeros(0, bool)
    if liked.any():
        scores, step = scores + liked * (scores.max() + np.float32(1)), "profile"
    return scores, step


def profile_categories(profile: Profile, known: Mapping[str, int]) -> tuple[str, ...]:
    """The categories that text attributes name, in the profile's order."""
    texts = (value for value in profile.values() if isinstance(value, str))
    return tuple(dict.fromkeys(name for text in texts for name in text.split("|") if name in known))
