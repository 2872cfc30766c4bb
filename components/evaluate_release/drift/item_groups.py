"""Item groups that tell users apart: categories, or where there are none the crowds that choose an item."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import svds

from components.evaluate_release.data.queries import Indexes
from serving.release.arrays import FloatArray
from serving.release.catalog import Catalog
from serving.release.collaborative_filters import CollaborativeFilters

# Items a taste needs, so that ten are left to be answered when twenty of it were chosen.
MIN_ITEMS: Final = 31
# A new taste holds at most so much of all interactions: a broad one fills half of a list by itself.
MAX_BASE: Final = 0.25

# So many clusters, of the most popular items alone; fewer where they would be too small.
CLUSTERS, CLUSTERED_ITEMS = 10, 5_000


@dataclass(frozen=True, eq=False)
class ItemGroups:
    """A row of `members` for each taste that has items enough; an item may belong to several, or to none."""

    kind: str  # "categories" or "clusters"
    names: list[str]
    members: NDArray[np.bool_]  # [tastes, items]
    base: NDArray[np.float64]  # [tastes] share of all interactions that its items have

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def new(self) -> NDArray[np.intp]:
        """The tastes narrow enough to switch to."""
        return np.flatnonzero(self.base <= MAX_BASE)

    def shares(self, histories: list[Indexes]) -> NDArray[np.float64]:
        """[histories, tastes] of a history's items those of each taste; 0 for an empty one."""
        return np.stack([self.members[:, items].sum(axis=1) / max(len(items), 1) for items in histories])

    def only(self, taste: int, other: int) -> NDArray[np.bool_]:
        """[items] of `taste` and not of `other`."""
        return np.asarray(self.members[taste] & ~self.members[other])


def find_item_groups(catalog: Catalog, filters: CollaborativeFilters, seed: int) -> ItemGroups | None:
    """The catalog's categories, else clusters of items; None where neither tells two tastes apart."""
    popularity = filters.popularity
    by_category = catalog.content.T.toarray() > 0
    found = _tastes("categories", list(catalog.category_index) or [""], by_category, popularity)
    if found is None:
        clusters = _clusters(filters.user_items, popularity, seed)
        names = [f"cluster {number + 1}" for number in range(len(clusters))]
        found = _tastes("clusters", names, clusters, popularity)
    return found


def _tastes(
    kind: str, names: list[str], members: NDArray[np.bool_], popularity: FloatArray
) -> ItemGroups | None:
    """Those with items enough that somebody has chosen; None without two of them, or without a narrow one."""
    members = members & (popularity > 0)
    enough = np.flatnonzero(members.sum(axis=1) >= MIN_ITEMS)
    base = members[enough] @ popularity.astype(np.float64) / max(float(popularity.sum()), 1.0)
    tastes = ItemGroups(kind, [names[row] for row in enough], members[enough], base)
    return tastes if len(tastes) > 1 and len(tastes.new) else None


def _clusters(user_items: csr_array, popularity: FloatArray, seed: int) -> NDArray[np.bool_]:
    """[clusters, items]: k-means on what the singular vectors say of who chooses an item."""
    items = np.sort(np.argsort(-popularity, kind="stable")[:CLUSTERED_ITEMS])
    items = items[popularity[items] > 0]
    count = min(CLUSTERS, len(items) // MIN_ITEMS)
    members = np.zeros((count, len(popularity)), bool)
    chosen = csr_array(user_items[:, items].astype(np.float64))
    if count < 2 or min(chosen.shape) <= count:
        return members
    # An item's column at unit length: popular ones would else make up each direction.
    norms = np.sqrt(chosen.power(2).sum(axis=0))
    _, _, directions = svds(chosen @ diags_array(1 / np.maximum(norms, 1e-9)), count, rng=seed)
    vectors = directions.T / np.maximum(np.linalg.norm(directions.T, axis=1, keepdims=True), 1e-9)
    _, labels = kmeans2(vectors, count, minit="++", rng=seed)
    members[labels, items] = True
    return members
