"""A user's interest by category, recent and long-term, and the shift between the two."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from serving.answers import CategoryInterest
from serving.release.catalog import Catalog

# In the recent interest, an interaction weighs half as much as one that is this many interactions newer.
HALF_LIFE: Final = 5.0


def category_interests(items: Sequence[int], catalog: Catalog) -> tuple[list[CategoryInterest], float]:
    """Return the weights of a user's categories, highest first, and the shift from the long-term interest.

    Args:
        items: [h] indexes, oldest first. An item's weight is split between its categories: 1 in the long-term
            interest, 0.5 ** (interactions since / HALF_LIFE) in the recent one. Items without categories are
            skipped.

    Returns:
        The interests, and the total variation distance: half the sum of absolute weight differences.
    """
    recent: dict[str, float] = defaultdict(float)
    long_term: dict[str, float] = defaultdict(float)
    for age, item in enumerate(reversed(items)):
        categories = catalog.categories[item]
        for category in categories:
            recent[category] += 0.5 ** (age / HALF_LIFE) / len(categories)
            long_term[category] += 1 / len(categories)
    total_recent, total_long_term = sum(recent.values()), sum(long_term.values())
    interests = [
        CategoryInterest(category, weight / total_recent, long_term[category] / total_long_term)
        for category, weight in recent.items()
    ]
    interests.sort(key=lambda interest: (-interest.weight, interest.category))
    shift = sum(abs(interest.weight - interest.long_term_weight) for interest in interests) / 2
    return interests, shift
