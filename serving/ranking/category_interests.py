"""What a user is interested in now, by category, and how far that has moved from the long term."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from serving.answers import CategoryInterest
from serving.release.catalog import Catalog

# In the interest of now, an interaction counts half as much as the one this many later.
HALF_LIFE: Final = 5.0


def category_interests(items: Sequence[int], catalog: Catalog) -> tuple[list[CategoryInterest], float]:
    """Each category's weight, strongest first, and the shift between now and long term.

    Args:
        items: [h] indexes, oldest first. Each shares its weight between its categories: 1 in the long
            term, 0.5 ** (interactions since / HALF_LIFE) now. Items without categories say nothing.

    Returns:
        The interests, and the total variation distance, half the sum of the weights' differences.
    """
    now: dict[str, float] = defaultdict(float)
    long_term: dict[str, float] = defaultdict(float)
    for age, item in enumerate(reversed(items)):
        categories = catalog.categories[item]
        for category in categories:
            now[category] += 0.5 ** (age / HALF_LIFE) / len(categories)
            long_term[category] += 1 / len(categories)
    total_now, total = sum(now.values()), sum(long_term.values())
    interests = [
        CategoryInterest(category, weight / total_now, long_term[category] / total)
        for category, weight in now.items()
    ]
    interests.sort(key=lambda interest: (-interest.weight, interest.category))
    shift = sum(abs(interest.weight - interest.long_term_weight) for interest in interests) / 2
    return interests, shift
