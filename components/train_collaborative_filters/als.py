"""Implicit-feedback matrix factorisation by alternating least squares, as item factors that suffice alone.

Hu, Koren & Volinsky 2008, "Collaborative filtering for implicit feedback datasets": what a user chose counts
as 1, with confidence c, everything else as 0, with confidence 1. By the library `implicit`, whose solver is
that of Takács et al. 2011, "Applications of the conjugate gradient method for implicit feedback".
"""

from typing import Final

import numpy as np
from scipy.linalg import solve_triangular
from scipy.sparse import csr_array, csr_matrix

from components.train_collaborative_filters.interactions import Interactions
from serving.release.arrays import FloatArray

SEED: Final = 20261124


def als(
    interactions: Interactions, factors: int, regularisation: float, confidence: float, iterations: int
) -> FloatArray:
    """[items, factors] float32, for `serving.ranking.fold_in`; the same for any number of threads.

    Args:
        regularisation: λ, in units of `chance`: it fits small and large data alike.
        confidence: c of what was chosen, above 1.
    """
    # Imported here: half a second, and only this step needs it.
    from implicit.cpu.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    user_items = interactions.user_items()
    penalty = regularisation * chance(user_items)
    # Its own threads take a user each; those of BLAS would stand in their way, and it warns of them.
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(
            factors, penalty, alpha=confidence, iterations=iterations, random_state=SEED
        )
        model.fit(csr_matrix(user_items), show_progress=False)
    return whitened(model.item_factors, penalty, confidence)


def chance(user_items: csr_array) -> float:
    """The largest singular value of as many ones thrown at random, less their mean: √(p (1 − p)) (√m + √n).

    Factors penalised by λ keep of each singular value what is above λ (Mazumder et al. 2010, "Spectral
    regularization algorithms for learning large incomplete matrices"): with this λ, what chance alone would
    make is gone. Its edge: Yin et al. 1988, "On the limit of the largest eigenvalue of the large dimensional
    sample covariance matrix".
    """
    users, items = user_items.shape
    density = user_items.nnz / (users * items)
    return float(max(1.0, np.sqrt(density * (1 - density)) * (np.sqrt(users) + np.sqrt(items))))


def whitened(item_factors: FloatArray, penalty: float, confidence: float) -> FloatArray:
    """Z = √(c − 1) Y L⁻ᵀ of Y [items, factors], where LLᵀ = G = YᵀY + λI.

    After a history of the items h the model's scores are Y x, x = (G + (c − 1) Σ y_h y_hᵀ)⁻¹ c Σ y_h. They
    are Z (I + Σ z_h z_hᵀ)⁻¹ Σ z_h, but for the factor c / (c − 1): Z needs no G, λ or c beside it.
    """
    exact = item_factors.astype(np.float64)
    gram = exact.T @ exact + penalty * np.eye(exact.shape[1])
    directions = solve_triangular(np.linalg.cholesky(gram), exact.T, lower=True)
    return np.ascontiguousarray(np.sqrt(confidence - 1) * directions.T, np.float32)
