"""Item groups: categories with items enough, clusters where there are none, nothing where neither tells."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from components.evaluate_release.drift.item_groups import MIN_ITEMS, ItemGroups, find_item_groups
from serving.release.catalog import FOREVER, Catalog
from serving.release.collaborative_filters import CollaborativeFilters


def catalog(categories):
    n = len(categories)
    return Catalog(
        [str(item) for item in range(n)],
        [""] * n,
        categories,
        [""] * n,
        np.zeros(n, np.int64),
        np.full(n, FOREVER),
    )


def filters(user_items, popularity=None):
    n = user_items.shape[1]
    own = np.asarray(user_items.sum(axis=0), np.float32) if popularity is None else popularity
    return CollaborativeFilters(csr_array((n, n)), csr_array((n, n)), user_items, popularity=own, trend=own)


def crowds(count, users, items):
    """Each crowd chooses at random among its own items."""
    rng, matrix = np.random.default_rng(0), np.zeros((count * users, count * items), np.float32)
    for user in range(count * users):
        own = user // users * items + rng.choice(items, items // 2, replace=False)
        matrix[user, own] = 1
    return csr_array(matrix)


def test_categories_with_items_enough_are_tastes_and_narrow_ones_can_be_new():
    sizes = {"broad": 60, "narrow": MIN_ITEMS, "tiny": MIN_ITEMS - 1}
    names = [name for name, size in sizes.items() for _ in range(size)]
    popularity = np.ones(len(names), np.float32)
    popularity[:60] = 3  # 180 of 241 interactions
    found = find_item_groups(
        catalog([[name] for name in names]), filters(csr_array((1, len(names))), popularity), 0
    )
    assert (found.kind, found.names) == ("categories", ["broad", "narrow"])
    assert found.base == pytest.approx([180 / 241, 31 / 241])
    assert found.new.tolist() == [1]


def test_items_that_nobody_chose_belong_to_no_taste():
    names = ["one"] * 40 + ["other"] * 40 + ["rest"] * 100
    popularity = np.ones(len(names), np.float32)
    popularity[40:50] = 0  # thirty of "other" are left
    assert find_item_groups(
        catalog([[name] for name in names]), filters(csr_array((1, len(names))), popularity), 0
    ).names == ["one", "rest"]


def test_clusters_are_the_crowds_that_choose_the_same_items():
    user_items = crowds(10, 30, 40)
    found = find_item_groups(catalog([[]] * 400), filters(user_items), seed=0)
    assert found.kind == "clusters"
    # each crowd's items are together, whatever the number of their cluster
    together = [
        np.flatnonzero(found.members[:, 40 * crowd : 40 * crowd + 40].all(axis=1)) for crowd in range(10)
    ]
    assert sum(len(cluster) == 1 for cluster in together) >= 8


def test_a_small_catalog_without_categories_has_no_tastes():
    assert find_item_groups(catalog([[]] * 60), filters(crowds(2, 20, 30)), seed=0) is None


def test_shares_and_what_is_of_one_alone_by_hand():
    members = np.array([[1, 1, 0, 0], [0, 1, 1, 0]], bool)
    tastes = ItemGroups("categories", ["a", "b"], members, np.array([0.5, 0.5]))
    histories = [np.array([0, 1, 2, 3]), np.array([], np.int32)]
    assert tastes.shares(histories).tolist() == [[0.5, 0.5], [0, 0]]
    assert tastes.only(0, 1).tolist() == [True, False, False, False]
    assert replace(tastes, base=np.array([0.3, 0.2])).new.tolist() == [1]
