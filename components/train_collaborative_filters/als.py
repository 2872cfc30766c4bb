"""Implicit-feedback matrix factorisation by alternating least squares (ALS).

Hu, Koren & Volinsky 2008, "Collaborative filtering for implicit feedback datasets": chosen items are 1, with
confidence c, all others 0, with confidence 1, or c for disliked ones. The library `implicit` solves it as in
Takács et al. 2011, "Applications of the conjugate gradient method for implicit feedback".
"""

from typing import Final

import numpy as np
from scipy.linalg import solve_triangular
from scipy.sparse import csr_array, csr_matrix

from components.train_collaborative_filters.interactions import Interactions
from serving.release.arrays import FloatArray

SEED: Final = 20261124


def als(
    votes: Interactions,
    dislikes: Interactions,
    factors: int,
    regularisation: float,
    confidence: float,
    iterations: int,
) -> FloatArray:
    """Return item factors [items, factors] float32 for `serving.ranking.fold_in`; reproducible with threads.

    Args:
        regularisation: the penalty λ in units of `noise_singular_value`, so that one value suits data of any
            size.
        confidence: c of chosen and of disliked items of weight 1, above 1.
    """
    # Imported here, because the import takes half a second.
    from implicit.cpu.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    user_items = _confidences(votes, confidence) - _confidences(dislikes, confidence)
    penalty = regularisation * noise_singular_value(user_items)
    # `implicit` has threads of its own, and warns of BLAS threads, which would slow them down.
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(factors, penalty, alpha=1.0, iterations=iterations, random_state=SEED)
        model.fit(csr_matrix(user_items), show_progress=False)
    return whiten(model.item_factors, penalty, confidence)


def _confidences(interactions: Interactions, confidence: float) -> csr_array:
    """Return [users, items] float32, 1 + (c - 1) · weight for each chosen item."""
    matrix = interactions.user_items()
    matrix.data = 1 + np.float32(confidence - 1) * matrix.data
    return matrix


def noise_singular_value(user_items: csr_array) -> float:
    """Return the largest singular value of a random matrix with the same density: √(p (1 − p)) (√m + √n).

    The penalty λ shrinks each singular value by λ (Mazumder et al. 2010, "Spectral regularization algorithms
    for learning large incomplete matrices"), so this λ removes what random choices would produce. The formula
    is of Yin et al. 1988, "On the limit of the largest eigenvalue of the large dimensional sample covariance
    matrix".
    """
    users, items = user_items.shape
    density = user_items.nnz / (users * items)
    return float(max(1.0, np.sqrt(density * (1 - density)) * (np.sqrt(users) + np.sqrt(items))))


def whiten(item_factors: FloatArray, penalty: float, confidence: float) -> FloatArray:
    """Return Z = √(c − 1) Y L⁻ᵀ for Y = `item_factors` [items, factors], where LLᵀ = G = YᵀY + λI.

    After a history of the items h the model's scores are Y x, x = (G + (c − 1) Σ y_h y_hᵀ)⁻¹ c Σ y_h. Up to
    the factor c / (c − 1) they equal Z (I + Σ z_h z_hᵀ)⁻¹ Σ z_h, which needs Z only, not G, λ or c.
    """
    exact = item_factors.astype(np.float64)
    gram = exact.T @ exact + penalty * np.eye(exact.shape[1])
    directions = solve_triangular(np.linalg.cholesky(gram), exact.T, lower=True)
    return np.ascontiguousarray(np.sqrt(confidence - 1) * directions.T, np.float32)
