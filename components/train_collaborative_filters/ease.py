"""EASE: item-item weights, the closed form of a linear autoencoder without self-weights.

Steck 2019, "Embarrassingly shallow autoencoders for sparse data", arXiv:1905.03375, equation 8.
"""

import numpy as np
from scipy.linalg.lapack import spotrf, spotri
from scipy.sparse import csr_array

from components.train_collaborative_filters.interactions import Interactions
from components.train_collaborative_filters.top_k_per_row import top_k_per_row


def ease(interactions: Interactions, regularisation: float, neighbours: int) -> csr_array:
    """Return [items, items] float32: B = I − P diag(1/P), P = (XᵀX + λI)⁻¹, each row's `neighbours` largest.

    Time is cubic in the number of items, memory quadratic (two matrices [items, items] float32).
    """
    user_items = interactions.user_items()
    gram = np.asfortranarray((user_items.T @ user_items).toarray(), np.float32)
    np.fill_diagonal(gram, gram.diagonal() + regularisation)
    # XᵀX + λI is positive definite: Cholesky costs half of a general inverse, and neither call can fail.
    factor, _ = spotrf(gram, lower=1, overwrite_a=1)
    inverse, _ = spotri(factor, lower=1, overwrite_c=1)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    weights = inverse / -inverse.diagonal()
    np.fill_diagonal(weights, 0)
    return top_k_per_row(csr_array(weights), neighbours)
