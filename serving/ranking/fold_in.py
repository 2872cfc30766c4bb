"""Who somebody is in a factorisation of who chose what, worked out from a history at the request."""

import numpy as np
from numpy.typing import NDArray


def fold_in(
    item_factors: NDArray[np.float32], items: NDArray[np.int32], strengths: NDArray[np.float32]
) -> NDArray[np.float32]:
    """[factors] u = (I + Σ w z zᵀ)⁻¹ Σ w z of somebody who chose `items`; the scores are item_factors @ u.

    With B = √w z and r = √w that is Bᵀ (I + BBᵀ)⁻¹ r, a system of [h, h], which takes 30 µs for h = 64.

    Args:
        item_factors: [items, factors] of components.train_collaborative_filters.als.
        items: [h] indexes.
        strengths: [h] w, 1 for a choice that counts whole, 0 for one that doesn't count.
    """
    roots = np.sqrt(strengths)
    chosen = item_factors.take(items, axis=0) * roots[:, np.newaxis]
    products = np.dot(chosen, chosen.T)
    products.flat[:: len(items) + 1] += 1
    user: NDArray[np.float32] = np.dot(np.linalg.solve(products, roots), chosen)
    return user
