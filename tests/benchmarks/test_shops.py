"""The synthetic shops have the properties that their descriptions claim."""

from collections import Counter
from itertools import pairwise

import numpy as np

from tests.benchmarks.shops import Interactions, baskets, reviews, sessions


def windows(shop: Interactions) -> list[np.ndarray]:
    """Return the items of each user, oldest first."""
    starts = np.flatnonzero(np.diff(shop.users)) + 1
    return np.split(shop.items, starts)


def share_of_likeliest_steps(shop: Interactions) -> float:
    """Return the share of steps from an item to its most frequent successor."""
    steps = Counter(step for window in windows(shop) for step in pairwise(window))
    best: Counter[int] = Counter()
    for (item, _), count in steps.items():
        best[item] = max(best[item], count)
    return best.total() / steps.total()


def repeats(shop: Interactions) -> float:
    """Return the share of interactions with an item that the user had before."""
    return 1 - sum(len(np.unique(window)) for window in windows(shop)) / len(shop.items)


def test_sessions_have_likely_successors_and_few_repeats() -> None:
    shop = sessions(users=2_000, items=200)
    assert 0.3 < share_of_likeliest_steps(shop) < 0.6
    assert repeats(shop) < 0.35


def test_baskets_repeat_items_in_no_fixed_order() -> None:
    shop = baskets(users=100)
    assert repeats(shop) > 0.5
    assert share_of_likeliest_steps(shop) < 0.3


def test_reviews_are_few_and_of_neighbouring_genres() -> None:
    shop = reviews(users=1_000)
    by_user = windows(shop)
    assert {len(window) for window in by_user} == set(range(5, 13))
    assert repeats(shop) == 0
    for window in by_user:
        assert set(np.diff(window // 50) % 30) <= {0, 1, 2, 3, 4, 5}
    counts = np.sort(np.bincount(shop.items, minlength=1_500))[::-1]
    assert counts[:150].sum() > 0.4 * counts.sum()


def test_a_shop_is_deterministic() -> None:
    assert reviews(users=20).table() == reviews(users=20).table()
    assert np.all(np.diff(sessions(users=20).users) >= 0)
