"""Items whose texts have the words of a user's last searches."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo.searches import Searches
from serving.ranking.sparse_scores import Scores, SparseScores
from serving.release.arrays import FloatArray, Indexes
from serving.release.item_words import ItemWords, words_of

# What a match of all words of a search adds to a score, in log odds of being chosen: an item that would come
# next with a probability of 1 % has even odds with one of 50 %. Chosen on MovieLens-100K: after a search for
# a genre most of the next ten films match, and what the user likes still decides among them.
SEARCH_WEIGHT: Final = 4.5

# A search loses 1 - DECAY of its strength with each later interaction or search.
DECAY: Final = 0.7
MIN_STRENGTH: Final = 0.01


@dataclass(frozen=True, eq=False)
class SearchMatches:
    """The searches that still count, newest first, and how well items match them.

    A match is the share of the information (inverse document frequency) in the words of a search that an
    item's texts have: 1 if they have all words.
    """

    queries: list[str]  # [searches]
    strengths: list[float]  # [searches] from 1 for a search with nothing after it
    rows: list[SparseScores]  # [searches] the match of each item

    @classmethod
    def of(
        cls, words: ItemWords, searches: Searches, timestamps: NDArray[np.int64]
    ) -> "SearchMatches | None":
        """Return the matches; None if no item matches a search that counts.

        Args:
            timestamps: [h] µs since the epoch, of the user's interactions, oldest first.
        """
        found = cls([], [], [])
        later = len(timestamps) - np.searchsorted(timestamps, np.asarray(searches.timestamps), "right")
        for newer, position in enumerate(reversed(range(len(searches)))):
            strength, query = DECAY ** (int(later[position]) + newer), searches.queries[position]
            row = _match(words, query) if strength >= MIN_STRENGTH and query not in found.queries else None
            if row is not None:
                found.queries.append(query)
                found.strengths.append(strength)
                found.rows.append(row)
        return found if found.rows else None

    def scores(self) -> Scores:
        """Return the sum of the matches of each item, each times the strength of its search."""
        strengths = [row.weights * np.float32(s) for row, s in zip(self.rows, self.strengths, strict=True)]
        lengths = np.concatenate([np.diff(row.offsets) for row in self.rows])
        return SparseScores(
            np.concatenate([row.items for row in self.rows]),
            np.concatenate([row.values for row in self.rows]),
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32),
            np.concatenate(strengths),
            self.rows[0].item_count,
        ).to_dense()

    def reasons(self, items: Indexes) -> list[str]:
        """Return a sentence for each of `items` [k], distinct, with its best search, or ""."""
        matches = np.stack(
            [row.at(items) * np.float32(s) for row, s in zip(self.rows, self.strengths, strict=True)]
        )
        best: list[int] = np.where(matches.max(axis=0) > 0, matches.argmax(axis=0), -1).tolist()
        return [f"matches your search '{self.queries[search]}'" if search >= 0 else "" for search in best]


def _match(words: ItemWords, query: str) -> SparseScores | None:
    """Return a row for each word of the query; None if no item has one of them."""
    distinct = words_of(query)
    rows = words.items_of(distinct)
    counts = [len(row) for row in rows]
    if not any(counts):
        return None
    information = words.information(counts)
    weights: FloatArray = information / information.sum()
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    items = np.concatenate(rows)
    return SparseScores(items, np.ones(len(items), np.float32), offsets, weights, words.item_count)
