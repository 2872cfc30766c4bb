"""ALS, compared with the library's own recalculation, a direct solver, and random matrices."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from numpy.typing import NDArray
from scipy.sparse import csr_array, csr_matrix
from threadpoolctl import threadpool_limits

from components.train_collaborative_filters.als import als, noise_singular_value, whiten
from components.train_collaborative_filters.interactions import Interactions
from serving.ranking.fold_in import fold_in
from tests.components.train_collaborative_filters.planted import checkerboard, interactions

ROOT = Path(__file__).parents[3]

PENALTY, CONFIDENCE = 2.0, 5.0


@pytest.fixture(scope="module")
def model() -> AlternatingLeastSquares:
    """A model of 60 users who chose about 15 of 40 items at random."""
    generator = np.random.default_rng(5)
    world = interactions([generator.integers(0, 40, 15) for _ in range(60)], item_count=40)
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(8, PENALTY, CONFIDENCE, random_state=1)
        model.fit(csr_matrix(world.user_items()), show_progress=False)
    return model


def scores(model: AlternatingLeastSquares, items: list[int], weights: list[float]) -> NDArray[np.float32]:
    """Return [items] the scores of `fold_in`, in the model's scale."""
    factors = whiten(model.item_factors, PENALTY, CONFIDENCE)
    user = fold_in(factors, np.array(items, np.int32), np.array(weights, np.float32))
    return (CONFIDENCE / (CONFIDENCE - 1) * factors @ user).astype(np.float32)


def nothing(interactions: Interactions) -> Interactions:
    return interactions.select(np.zeros(len(interactions), bool))


def fitted_checkerboard() -> NDArray[np.float32]:
    world = checkerboard()
    return als(world, nothing(world), 4, 1.0, 3.0, 5)


@pytest.mark.parametrize("history", [[3], [3, 17, 4], list(range(0, 40, 2))])
def test_fold_in_equals_the_librarys_recalculation(
    model: AlternatingLeastSquares, history: list[int]
) -> None:
    row = csr_matrix((np.ones(len(history), np.float32), ([0] * len(history), history)), shape=(1, 40))
    with threadpool_limits(1, "blas"):
        expected = model.item_factors @ model.recalculate_user(0, row)
    actual = scores(model, history, [1.0] * len(history))
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


def test_a_dislike_lowers_the_item_for_those_who_like_what_the_users_like() -> None:
    """All users choose items 0 to 4 and half of them item 5, which the others dislike or have not seen."""
    world = interactions([[0, 1, 2, 3, 4, 5]] * 10 + [[0, 1, 2, 3, 4]] * 10 + [[6, 7]] * 20, item_count=8)
    dislikes = replace(interactions([[]] * 10 + [[5]] * 10 + [[]] * 20, item_count=8))
    history, strengths = np.arange(5, dtype=np.int32), np.ones(5, np.float32)
    without, with_dislikes = (als(world, part, 3, 1.0, 3.0, 20) for part in (nothing(world), dislikes))
    before, after = (factors @ fold_in(factors, history, strengths) for factors in (without, with_dislikes))
    assert after[5] < 0.8 * before[5]
    np.testing.assert_allclose(after[:5], before[:5], rtol=0.1)


def test_weights_are_confidences() -> None:
    world = checkerboard()
    heavy = als(replace(world, weights=np.full(len(world), 2, np.float32)), nothing(world), 4, 1.0, 3.0, 5)
    confident = als(world, nothing(world), 4, 1.0, 5.0, 5)
    # The same confidence c; the factors carry √(c - 1) for a choice of weight 1.
    np.testing.assert_allclose(heavy * np.sqrt(2), confident, rtol=1e-5)


def test_weighted_fold_in_equals_a_direct_solver(model: AlternatingLeastSquares) -> None:
    """w (1 + a) y and w a y yᵀ are the sums of Hu et al. for a choice of weight w and confidence 1 + a."""
    weights = [0.0, 0.3, 1.0]
    exact = model.item_factors.astype(np.float64)
    system = exact.T @ exact + PENALTY * np.eye(8)
    for item, weight in zip([3, 17, 4], weights, strict=True):
        system += weight * (CONFIDENCE - 1) * np.outer(exact[item], exact[item])
    right_side = CONFIDENCE * np.array(weights) @ exact[[3, 17, 4]]
    expected = exact @ np.linalg.solve(system, right_side)
    np.testing.assert_allclose(scores(model, [3, 17, 4], weights), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(scores(model, [17, 4], weights[1:]), expected, rtol=1e-4, atol=1e-5)


def test_an_empty_history_has_zero_scores(model: AlternatingLeastSquares) -> None:
    assert not scores(model, [], []).any()


def test_the_factors_do_not_depend_on_the_number_of_threads() -> None:
    """In subprocesses, since the number of threads is read at the start."""
    code = (
        "from tests.components.train_collaborative_filters.test_als import fitted_checkerboard\n"
        "print(fitted_checkerboard().tobytes().hex())"
    )
    alone, several = (
        subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            env={**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        for threads in ("1", "3")
    )
    assert alone.stdout == several.stdout == fitted_checkerboard().tobytes().hex() + "\n"
    assert not alone.stderr + several.stderr


@pytest.mark.parametrize(("users", "items", "density"), [(300, 400, 0.05), (1000, 100, 0.2)])
def test_noise_singular_value_is_that_of_a_random_matrix(users: int, items: int, density: float) -> None:
    thrown = np.random.default_rng(2).random((users, items)) < density
    largest = np.linalg.norm(thrown - density, ord=2)
    assert noise_singular_value(csr_array(thrown.astype(np.float32))) == pytest.approx(largest, rel=0.05)


def test_als_of_random_choices_has_one_direction_the_popularity() -> None:
    generator = np.random.default_rng(3)
    world = interactions([np.flatnonzero(generator.random(150) < 0.1) for _ in range(200)], item_count=150)
    values = np.linalg.svd(als(world, nothing(world), 16, 1.2, 1.1, 30), compute_uv=False)
    assert values[1] < 0.3 * values[0]
