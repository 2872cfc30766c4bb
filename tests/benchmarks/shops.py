"""Interactions of three synthetic shops: browsing sessions, shopping baskets, and reviews."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_repo.table_schemas import TIMESTAMP

Rows = NDArray[np.int64]

SEED: Final = 20261124
START: Final = 1_704_067_200  # 2024-01-01
DAY: Final = 86_400


@dataclass(frozen=True)
class Interactions:
    """Parallel arrays; `seconds` since the epoch."""

    users: Rows
    items: Rows
    seconds: Rows
    values: NDArray[np.float64] | None
    event_type: str

    def table(self) -> pa.Table:
        """Return a table as `penchant benchmark --interactions` reads it."""
        columns = {
            "user_id": pa.array([f"u{user}" for user in self.users]),
            "item_id": pa.array([f"i{item}" for item in self.items]),
            "event_type": pa.array([self.event_type] * len(self.users)),
            "timestamp": pa.array(self.seconds * 1_000_000).cast(TIMESTAMP),
        }
        return pa.table(columns if self.values is None else {**columns, "value": pa.array(self.values)})


def sessions(users: int = 4_000, items: int = 2_000) -> Interactions:
    """Clicks: most items are followed by one of their five successors, and few are clicked twice."""
    random = np.random.default_rng(SEED)
    popularity = _long_tail(items, 0.8, random)
    successors = random.choice(items, (items, 5), p=popularity)
    clicks: list[tuple[int, int, int]] = []
    for user in range(users):
        at = START + int(random.integers(90 * DAY))
        for _ in range(1 + random.poisson(1.2)):
            item = int(random.choice(items, p=popularity))
            for _ in range(2 + random.poisson(4)):
                clicks.append((user, item, at))
                at += 5 + int(random.exponential(60))
                follows = random.random() < 0.75
                place = random.choice(5, p=(0.45, 0.25, 0.15, 0.1, 0.05))
                item = int(successors[item, place]) if follows else int(random.choice(items, p=popularity))
            at += int(random.exponential(5 * DAY))
    rows = np.array(clicks, np.int64).T
    return Interactions(rows[0], rows[1], rows[2], None, "click")


def baskets(users: int = 700, items: int = 3_000) -> Interactions:
    """Purchases: each household buys its own 15 staples repeatedly, and a few items from a long tail."""
    random = np.random.default_rng(SEED)
    popularity, price = _long_tail(items, 1.0, random), np.round(random.lognormal(1.2, 0.8, items), 2)
    purchases: list[tuple[int, int, int]] = []
    for user in range(users):
        staples = random.choice(items, 15, replace=False, p=popularity)
        liking = _long_tail(15, 0.7, random)
        at = START + int(random.integers(14 * DAY))
        for _ in range(4 + random.poisson(6)):
            again = random.choice(staples, min(15, 1 + random.poisson(5)), replace=False, p=liking)
            other = random.choice(items, random.poisson(1.5), p=popularity)
            purchases += [(user, int(item), at) for item in random.permutation(np.unique([*again, *other]))]
            at += int(DAY * random.gamma(20, 7 / 20))
    rows = np.array(purchases, np.int64).T
    return Interactions(rows[0], rows[1], rows[2], price[rows[1]], "purchase")


def reviews(users: int = 6_000, items: int = 1_500, genres: int = 30) -> Interactions:
    """Ratings: each user rates 5 to 12 items once, and sometimes moves on to the next genre.

    Within a genre, half of the ratings are of the next item in order, like a series.
    """
    random = np.random.default_rng(SEED)
    quality, members = random.normal(3.7, 0.6, items), np.arange(items).reshape(genres, -1)
    popularity = _long_tail(items, 0.9, random)[members]
    popularity /= popularity.sum(axis=1, keepdims=True)
    ratings: list[tuple[int, int, int]] = []
    for user in range(users):
        genre, item, at = int(random.integers(genres)), -1, START + int(random.integers(300 * DAY))
        count, rated = random.integers(5, 13), set[int]()
        while len(rated) < count:
            if random.random() < 0.25:
                genre, item = (genre + 1) % genres, -1
            item += 1
            if item not in members[genre] or random.random() < 0.5:
                item = int(random.choice(members[genre], p=popularity[genre]))
            if item not in rated:
                rated.add(item)
                ratings.append((user, item, at))
                at += DAY + int(random.exponential(20 * DAY))
    rows = np.array(ratings, np.int64).T
    values = np.clip(np.round(quality[rows[1]] + random.normal(0, 0.9, rows.shape[1])), 1, 5)
    return Interactions(rows[0], rows[1], rows[2], values, "rate")


def _long_tail(count: int, exponent: float, random: np.random.Generator) -> NDArray[np.float64]:
    """Return shares by Zipf's law in random order: [count]."""
    shares = random.permutation((1.0 + np.arange(count)) ** -exponent)
    normed: NDArray[np.float64] = shares / shares.sum()
    return normed


SHOPS: Final[dict[str, Callable[[], Interactions]]] = {
    shop.__name__: shop for shop in (sessions, baskets, reviews)
}
