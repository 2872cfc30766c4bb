"""Item groups: large categories, clusters if there are no categories, or none."""

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


def user_groups(count, users, items):
    """Return interactions of `count` groups of users, each with items of its own, chosen at random."""
    rng, matrix = np.random.default_rng(0), np.zeros((count * users, count * items), np.float32)
    for user in range(count * users):
        own = user // users * items + rng.choice(items, items // 2, replace=False)
        matrix[user, own] = 1
    return csr_array(matrix)


def test_large_categories_are_groups_and_narrow_ones_can_be_shifted_to() -> None:
    sizes = {"broad": 60, "narrow": MIN_ITEMS, "tiny": MIN_ITEMS - 1}
    names = [name for name, size in sizes.items() for _ in range(size)]
    popularity = np.ones(len(names), np.float32)
    popularity[:60] = 3  # 180 of 241 interactions
    groups = find_item_groups(
        catalog([[name] for name in names]), filters(csr_array((1, len(names))), popularity), 0
    )
    assert (groups.kind, groups.names) == ("categories", ["broad", "narrow"])
    assert groups.base_rates == pytest.approx([180 / 241, 31 / 241])
    assert groups.narrow.tolist() == [1]


def test_items_without_interactions_are_in_no_group() -> None:
    names = ["one"] * 40 + ["other"] * 40 + ["rest"] * 100
    popularity = np.ones(len(names), np.float32)
    popularity[40:50] = 0  # "other" has thirty left, too few
    assert find_item_groups(
        catalog([[name] for name in names]), filters(csr_array((1, len(names))), popularity), 0
    ).names == ["one", "rest"]


def test_clusters_are_items_chosen_by_the_same_users() -> None:
    user_items = user_groups(10, 30, 40)
    groups = find_item_groups(catalog([[]] * 400), filters(user_items), seed=0)
    assert groups.kind == "clusters"
    together = [
        np.flatnonzero(groups.members[:, 40 * group : 40 * group + 40].all(axis=1)) for group in range(10)
    ]
    assert sum(len(cluster) == 1 for cluster in together) >= 8


def test_a_small_catalog_without_categories_has_no_groups() -> None:
    assert find_item_groups(catalog([[]] * 60), filters(user_groups(2, 20, 30)), seed=0) is None


def test_shares_and_exclusive_items_by_hand() -> None:
    members = np.array([[1, 1, 0, 0], [0, 1, 1, 0]], bool)
    groups = ItemGroups("categories", ["a", "b"], members, np.array([0.5, 0.5]))
    histories = [np.array([0, 1, 2, 3]), np.array([], np.int32)]
    assert groups.shares(histories).tolist() == [[0.5, 0.5], [0, 0]]
    assert groups.only(0, 1).tolist() == [True, False, False, False]
    assert replace(groups, base_rates=np.array([0.3, 0.2])).narrow.tolist() == [1]
