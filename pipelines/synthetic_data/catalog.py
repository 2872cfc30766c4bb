"""A synthetic catalog: categories of different sizes, and items that come out over time."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from feature_repo.table_schemas import ITEMS, TIMESTAMP

# Items of a category that are there from the start.
OLD_SHARE: Final = 0.6
# Choices that prefer the newest items of a category; the others prefer the oldest ones.
NEWEST_SHARE: Final = 0.4
# With 1, the logarithm of a rank is uniform, which is Zipf's law with the exponent 1; above 1 it is steeper.
STEEPNESS: Final = 1.7

ADJECTIVES: Final = (
    "Blue",
    "Bright",
    "Calm",
    "Early",
    "Grand",
    "Green",
    "Hidden",
    "Late",
    "Old",
    "Quiet",
    "Small",
)
NOUNS: Final = (
    "Bridge",
    "Garden",
    "Harbour",
    "Lamp",
    "Letter",
    "Mirror",
    "Night",
    "River",
    "Road",
    "Summer",
    "Tower",
)


@dataclass(frozen=True)
class Catalog:
    """Items sorted by category and, in a category, by release; `numbers` are in random order."""

    starts: NDArray[np.int64]  # [categories + 1] the first item of each category, then the number of items
    released: NDArray[np.float64]  # [items] time as a share of the span, 0 for those of the start
    numbers: NDArray[np.int64]  # [items] the number in the item's id

    @classmethod
    def draw(cls, generator: np.random.Generator, items: int) -> Self:
        """Return a catalog whose categories have sizes by a power law."""
        categories = int(np.clip(np.sqrt(items) / 2, 1, 500))
        share = np.arange(1, categories + 1) ** -0.5
        sizes = 1 + generator.multinomial(items - categories, share / share.sum())
        starts = np.concatenate([[0], np.cumsum(sizes)])
        released = np.maximum(generator.uniform(-OLD_SHARE / (1 - OLD_SHARE), 1, items), 0)
        owners = np.repeat(np.arange(categories), sizes)
        released = released[np.lexsort((released, owners))]
        return cls(starts, released, generator.permutation(items))

    @property
    def categories(self) -> int:
        return len(self.starts) - 1

    @cached_property
    def category_shares(self) -> NDArray[np.float64]:
        """[categories] the share of each in the choices of all users."""
        weights = np.diff(self.starts) ** 1.5  # items of large categories are chosen more often
        shares: NDArray[np.float64] = weights / weights.sum()
        return shares

    def choose(
        self, generator: np.random.Generator, categories: NDArray[np.int64], times: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """Draw an item of each category among those released by then; popularity falls with the rank.

        Args:
            categories: [n]
            times: [n] shares of the span.

        Returns:
            [n] positions in the catalog.
        """
        first = self.starts[categories]
        known = np.maximum(np.searchsorted(self._release_keys, categories + times, side="right") - first, 1)
        drawn = generator.random(len(categories)) ** STEEPNESS
        rank = np.exp(drawn * np.log(known + 1)).astype(np.int64) - 1
        rank = np.minimum(rank, known - 1)
        is_newest = generator.random(len(categories)) < NEWEST_SHARE
        chosen: NDArray[np.int64] = first + np.where(is_newest, known - 1 - rank, rank)
        return chosen

    @cached_property
    def _release_keys(self) -> NDArray[np.float64]:
        """[items] category + time of release below 1: sorted, so that one search serves all categories."""
        owners = np.repeat(np.arange(self.categories), np.diff(self.starts))
        return np.add(owners, np.minimum(self.released, 1 - 1e-9), dtype=np.float64)

    def table(self, start: int, end: int) -> pa.Table:
        """Return the rows of ITEMS, by id; `start` and `end` are the span in µs since the epoch."""
        count = len(self.released)
        owners = np.repeat(np.arange(self.categories), np.diff(self.starts))
        titles = [
            f"{ADJECTIVES[number % len(ADJECTIVES)]} {NOUNS[owner % len(NOUNS)]} {number}"
            for owner, number in zip(owners.tolist(), self.numbers.tolist(), strict=True)
        ]
        released = (start + self.released * (end - start)).astype(np.int64)
        columns = {name: pa.nulls(count, ITEMS.field(name).type) for name in ITEMS.names} | {
            "item_id": ids("item", self.numbers),
            "title": pa.array(titles),
            "categories": pa.array([[f"category-{owner}"] for owner in owners.tolist()]),
            "available_from": pa.array(released, mask=self.released <= 0).cast(TIMESTAMP),
        }
        return pa.table(columns, schema=ITEMS).take(pa.array(np.argsort(self.numbers)))


def ids(prefix: str, numbers: NDArray[np.int64]) -> pa.Array:
    """Return [n] ids such as "item-0000017"."""
    digits = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), 8, "0")
    return pc.binary_join_element_wise(prefix, digits, "-")
