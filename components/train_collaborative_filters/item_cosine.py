"""Item-based collaborative filtering: similarity of items that the same users choose.

Sarwar et al. 2001, "Item-based collaborative filtering recommendation algorithms"; of choices, not ratings.
"""

from typing import Final

import numpy as np
from scipy.sparse import csr_array, vstack

from components.train_collaborative_filters.interactions import Interactions
from components.train_collaborative_filters.top_k_per_row import top_k_per_row

# Number of products (item, user, item) computed at once, to bound the memory.
BLOCK: Final = 50_000_000


def item_cosine(interactions: Interactions, neighbours: int) -> csr_array:
    """Return [items, items] float32: the cosine of the items' user sets, of the `neighbours` nearest."""
    user_items = interactions.user_items()
    lengths = np.sqrt(user_items.power(2).sum(axis=0))
    user_items.data /= lengths[user_items.indices].astype(np.float32)
    item_users = user_items.T.tocsr()
    pairs = np.concatenate([[0], np.cumsum(item_users.astype(bool) @ np.diff(user_items.indptr))])
    blocks, start = [], 0
    while start < interactions.item_count:
        end = max(start + 1, int(np.searchsorted(pairs, pairs[start] + BLOCK, side="right")) - 1)
        cosines = csr_array(item_users[start:end] @ user_items)
        rows = np.repeat(np.arange(start, end), np.diff(cosines.indptr))
        cosines.data[cosines.indices == rows] = 0
        blocks.append(top_k_per_row(cosines, neighbours))
        start = end
    return csr_array(vstack(blocks, format="csr"))
