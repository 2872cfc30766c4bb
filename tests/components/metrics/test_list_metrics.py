"""List metrics, compared with results computed by hand and with simple loops."""

from math import log, log2

import numpy as np
import pytest

from components.metrics import list_metrics

# Items 0 and 1 are comedies, 2 a drama, 3 both, 4 has no category.
CATEGORIES = np.array([[1, 0], [1, 0], [0, 1], [1, 1], [0, 0]], np.float32)


def test_coverage_counts_items_in_any_list() -> None:
    assert list_metrics.catalog_coverage(np.array([[0, 1], [1, -1]]), n_items=8) == 2 / 8


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([5, 5, 5, 5], 0.0),
        ([0, 0, 0, 8], 3 / 4),  # (n - 1) / n
        ([1, 2, 3], 4 / 18),  # (-2·1 + 0·2 + 2·3) / (3·6)
    ],
)
def test_gini_by_hand(counts, expected) -> None:
    assert list_metrics.gini(np.array(counts)) == pytest.approx(expected)


def test_gini_agrees_with_the_mean_absolute_difference() -> None:
    counts = np.random.default_rng(0).poisson(3, 40)
    pairs = np.abs(counts[:, None] - counts[None, :]).mean() / (2 * counts.mean())
    assert list_metrics.gini(counts) == pytest.approx(pairs)


def test_gini_of_zeros_is_undefined() -> None:
    assert np.isnan(list_metrics.gini(np.zeros(3)))


def test_diversity_by_hand() -> None:
    # cosines: (0,1) 1, (0,3) 1/√2, (1,3) 1/√2
    lists = np.array([[0, 1, 3], [0, 1, -1], [0, 2, -1], [0, 4, -1]])
    expected = [1 - (1 + 2 / 2**0.5) / 3, 0, 1, np.nan]
    assert list_metrics.intra_list_diversity(lists, CATEGORIES) == pytest.approx(expected, nan_ok=True)


def test_diversity_agrees_with_a_loop_over_pairs() -> None:
    rng = np.random.default_rng(3)
    features = rng.normal(size=(30, 5))
    lists = np.stack([rng.permutation(30)[:6] for _ in range(20)])

    def loop(items):
        cosines = [
            features[a] @ features[b] / np.linalg.norm(features[a]) / np.linalg.norm(features[b])
            for position, a in enumerate(items)
            for b in items[position + 1 :]
        ]
        return 1 - sum(cosines) / len(cosines)

    ours = list_metrics.intra_list_diversity(lists, features)
    assert ours == pytest.approx([loop(items) for items in lists])


def test_novelty_by_hand() -> None:
    # shares with one added: 4/8, 2/8, 1/8, 1/8 of popularity 3, 1, 0, 0
    popularity = np.array([3.0, 1.0, 0.0, 0.0])
    lists = np.array([[0, 1], [2, -1], [-1, -1]])
    assert list_metrics.novelty(lists, popularity) == pytest.approx([(1 + 2) / 2, 3, np.nan], nan_ok=True)


def test_serendipity_counts_hits_that_are_not_in_the_popularity_list() -> None:
    recommended = np.array([[3, 7], [3, 7], [3, 7], [3, 7]])
    expected = np.array([[3, 5], [3, 5], [3, 5], [3, 5]])
    targets = np.array([7, 3, 9, -1])  # an unexpected hit, an expected hit, no hit, no target
    assert list_metrics.serendipity(recommended, expected, targets).tolist() == [0.5, 0, 0, 0]


def test_category_distribution_splits_an_items_weight_over_its_categories() -> None:
    lists = np.array([[0, 3], [2, 4], [4, -1]])
    expected = [[0.75, 0.25], [0, 1], [0, 0]]
    assert list_metrics.category_distribution(lists, CATEGORIES) == pytest.approx(np.array(expected))


def test_miscalibration_by_hand() -> None:
    history = np.array([[0.7, 0.3], [0.7, 0.3], [0.0, 0.0]])
    recommended = np.array([[0.7, 0.3], [1.0, 0.0], [1.0, 0.0]])
    # q̃ = 0.99·(1, 0) + 0.01·(0.7, 0.3) = (0.997, 0.003)
    skewed = 0.7 * log(0.7 / 0.997) + 0.3 * log(0.3 / 0.003)
    measured = list_metrics.miscalibration(history, recommended)
    assert measured == pytest.approx([0, skewed, np.nan], nan_ok=True)


def test_novelty_is_the_entropy_when_all_items_are_equally_popular() -> None:
    lists = np.arange(16).reshape(1, 16)
    assert list_metrics.novelty(lists, np.full(16, 9.0)) == pytest.approx([log2(16)])
