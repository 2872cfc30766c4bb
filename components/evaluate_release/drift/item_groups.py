"""Item groups that distinguish users' interests: the categories, or clusters of items without categories."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import svds

from components.evaluate_release.data.queries import Indexes
from serving.release.arrays import FloatArray
from serving.release.catalog import Catalog
from serving.release.collaborative_filters import CollaborativeFilters

# Minimum size of a group: ten items are left to recommend after twenty-one were chosen.
MIN_ITEMS: Final = 31
# Users shift to groups with at most this share of all interactions: a larger one fills half a list by itself.
MAX_BASE_RATE: Final = 0.25

# Number of clusters, of the most popular items only; fewer if they would be smaller than MIN_ITEMS.
CLUSTERS, CLUSTERED_ITEMS = 10, 5_000


@dataclass(frozen=True, eq=False)
class ItemGroups:
    """Groups with enough items; an item may be in several groups, or in none."""

    kind: str  # "categories" or "clusters"
    names: list[str]
    members: NDArray[np.bool_]  # [groups, items]
    base_rates: NDArray[np.float64]  # [groups] a group's share of all interactions

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def narrow(self) -> NDArray[np.intp]:
        """The groups that users may shift to."""
        return np.flatnonzero(self.base_rates <= MAX_BASE_RATE)

    def shares(self, histories: list[Indexes]) -> NDArray[np.float64]:
        """Return [histories, groups] each group's share of a history's items; 0 for an empty history."""
        return np.stack([self.members[:, items].sum(axis=1) / max(len(items), 1) for items in histories])

    def only(self, group: int, other: int) -> NDArray[np.bool_]:
        """Return the mask [items] of the items in `group` and not in `other`."""
        return np.asarray(self.members[group] & ~self.members[other])


def find_item_groups(catalog: Catalog, filters: CollaborativeFilters, seed: int) -> ItemGroups | None:
    """Return the catalog's categories, else clusters of items; None if neither gives two usable groups."""
    popularity = filters.popularity
    by_category = catalog.content.T.toarray() > 0
    groups = _usable_groups("categories", list(catalog.category_index) or [""], by_category, popularity)
    if groups is None:
        clusters = _clusters(csr_array(filters.item_users.T), popularity, seed)
        names = [f"cluster {number + 1}" for number in range(len(clusters))]
        groups = _usable_groups("clusters", names, clusters, popularity)
    return groups


def _usable_groups(
    kind: str, names: list[str], members: NDArray[np.bool_], popularity: FloatArray
) -> ItemGroups | None:
    """Keep groups of MIN_ITEMS items with interactions; None without two groups, one of them narrow."""
    members = members & (popularity > 0)
    large = np.flatnonzero(members.sum(axis=1) >= MIN_ITEMS)
    base_rates = members[large] @ popularity.astype(np.float64) / max(float(popularity.sum()), 1.0)
    groups = ItemGroups(kind, [names[row] for row in large], members[large], base_rates)
    return groups if len(groups) > 1 and len(groups.narrow) else None


def _clusters(user_items: csr_array, popularity: FloatArray, seed: int) -> NDArray[np.bool_]:
    """Return [clusters, items]: k-means on the items' singular vectors of the user-item matrix."""
    from scipy.cluster.vq import kmeans2  # takes long to import, and most catalogs have categories

    items = np.sort(np.argsort(-popularity, kind="stable")[:CLUSTERED_ITEMS])
    items = items[popularity[items] > 0]
    count = min(CLUSTERS, len(items) // MIN_ITEMS)
    members = np.zeros((count, len(popularity)), bool)
    matrix = csr_array(user_items[:, items].astype(np.float64))
    if count < 2 or min(matrix.shape) <= count:
        return members
    # Columns have unit length: else popular items would dominate every direction.
    norms = np.sqrt(matrix.power(2).sum(axis=0))
    _, _, directions = svds(matrix @ diags_array(1 / np.maximum(norms, 1e-9)), count, rng=seed)
    vectors = directions.T / np.maximum(np.linalg.norm(directions.T, axis=1, keepdims=True), 1e-9)
    _, labels = kmeans2(vectors, count, minit="++", rng=seed)
    members[labels, items] = True
    return members
