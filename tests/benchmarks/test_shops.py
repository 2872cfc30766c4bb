"""Made-up shops have the character that they are made for."""

from collections import Counter
from itertools import pairwise

import numpy as np

from tests.benchmarks.shops import Interactions, baskets, reviews, sessions


def windows(shop: Interactions) -> list[np.ndarray]:
    """The items of each user, oldest first."""
    starts = np.flatnonzero(np.diff(shop.users)) + 1
    return np.split(shop.items, starts)


def followed_by_the_commonest(shop: Interactions) -> float:
    """Of the steps from one item to the next, the share that goes where most from there do."""
    steps = Counter(step for window in windows(shop) for step in pairwise(window))
    best: Counter[int] = Counter()
    for (item, _), count in steps.items():
        best[item] = max(best[item], count)
    return best.total() / steps.total()


def repeats(shop: Interactions) -> float:
    return 1 - sum(len(np.unique(window)) for window in windows(shop)) / len(shop.items)


def test_clicks_follow_each_other() -> None:
    shop = sessions(users=2_000, items=200)
    assert 0.3 < followed_by_the_commonest(shop) < 0.6
    assert repeats(shop) < 0.35


def test_households_buy_their_staples_again() -> None:
    shop = baskets(users=100)
    assert repeats(shop) > 0.5
    assert followed_by_the_commonest(shop) < 0.3


def test_reviews_are_few_and_of_neighbouring_genres() -> None:
    shop = reviews(users=1_000)
    of_users = windows(shop)
    assert {len(window) for window in of_users} == set(range(5, 13))
    assert repeats(shop) == 0
    for window in of_users:
        assert set(np.diff(window // 50) % 30) <= {0, 1, 2, 3, 4, 5}
    counts = np.sort(np.bincount(shop.items, minlength=1_500))[::-1]
    assert counts[:150].sum() > 0.4 * counts.sum()


def test_a_shop_is_the_same_each_time() -> None:
    assert reviews(users=20).table() == reviews(users=20).table()
    assert np.all(np.diff(sessions(users=20).users) >= 0)
