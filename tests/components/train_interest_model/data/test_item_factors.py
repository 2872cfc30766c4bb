"""The factors that item vectors start from, against mutual information computed by hand."""

import numpy as np
import pyarrow as pa
import pytest

from components.train_interest_model.data.item_factors import item_factors
from components.train_interest_model.data.sequences import Sequences, encode
from components.train_interest_model.data.vocabulary import Vocabulary
from feature_repo.table_schemas import TRAINING_SET
from tests.components.train_interest_model.conftest import history_row


def sequences(histories: list[list[str]], items: str) -> Sequences:
    rows = [history_row(f"u{row}", "train", history) for row, history in enumerate(histories)]
    vocabulary = Vocabulary(list(items), ["click", "view"], [0.0])
    return encode(pa.Table.from_pylist(rows, schema=TRAINING_SET), vocabulary)


def test_products_are_the_mutual_information_where_the_size_permits() -> None:
    near = sequences([["a", "b"], ["a", "a"], ["b", "b"], ["c", "c"]], "abcd")

    factors = item_factors(near, 4, 6, seed=1)

    assert factors.shape == (4, 6)
    # Of 8 pairs in both directions a has 3: 2 with itself, 1 with b, fewer than the 9 / 8 by chance.
    same, other, alone = np.log(2 * 8 / (3 * 3)), 0.0, np.log(2 * 8 / (2 * 2))
    expected = [[same, other, 0, 0], [other, same, 0, 0], [0, 0, alone, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(factors @ factors.T, expected, atol=1e-6)


@pytest.mark.parametrize("size", [2, 4])
def test_items_of_one_group_are_nearer_than_those_of_another(size: int) -> None:
    groups, random = ("abcdef", "uvwxyz"), np.random.default_rng(0)
    histories = [list(random.permutation(list(groups[row % 2]))) for row in range(20)]

    factors = item_factors(sequences(histories, "".join(groups)), 12, size, seed=1)

    products = factors @ factors.T
    assert products[:6, :6].min() > products[:6, 6:].max() + 0.1


@pytest.mark.parametrize("items", ["abcd", "abcdefghijkl"])
def test_items_that_are_near_no_other_have_no_factors(items: str) -> None:
    factors = item_factors(sequences([[item] for item in items], items), len(items), 4, seed=1)

    np.testing.assert_array_equal(factors, np.zeros((len(items), 4)))
