"""A user's interest by category, recent and long-term, and the shift between the two."""

from collections import defaultdict
from typing import Final

from serving.answers import CategoryInterest
from serving.release.arrays import FloatArray, Indexes
from serving.release.catalog import Catalog

# In the recent interest, an interaction weighs half as much as one that is this many interactions newer.
HALF_LIFE: Final = 5.0


def category_interests(
    items: Indexes, votes: FloatArray | None, catalog: Catalog
) -> tuple[list[CategoryInterest], float]:
    """Return the weights of a user's categories, highest first, and the shift from the long-term interest.

    Args:
        items: [h] indexes of the items that the user chose, oldest first. An item's vote is split between
            its categories; in the recent interest it is multiplied by
            0.5 ** (interactions since / HALF_LIFE). Items without categories are skipped.
        votes: [h] how much each interaction votes for its item; None where each is 1.

    Returns:
        The interests, and the total variation distance: half the sum of absolute weight differences.
    """
    recent: dict[str, float] = defaultdict(float)
    long_term: dict[str, float] = defaultdict(float)
    newest_first = zip(
        items[::-1].tolist(), [1.0] * len(items) if votes is None else votes[::-1].tolist(), strict=True
    )
    for age, (item, vote) in enumerate(newest_first):
        categories = catalog.categories[item]
        for category in categories:
            recent[category] += vote * 0.5 ** (age / HALF_LIFE) / len(categories)
            long_term[category] += vote / len(categories)
    total_recent, total_long_term = sum(recent.values()), sum(long_term.values())
    interests = [
        CategoryInterest(category, weight / total_recent, long_term[category] / total_long_term)
        for category, weight in recent.items()
    ]
    interests.sort(key=lambda interest: (-interest.weight, interest.category))
    shift = sum(abs(interest.weight - interest.long_term_weight) for interest in interests) / 2
    return interests, shift
