"""Folding-in: the factors of a user from a history, for a fixed matrix factorisation."""

import numpy as np
from numpy.typing import NDArray


def fold_in(
    item_factors: NDArray[np.float32], items: NDArray[np.int32], strengths: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return u = (I + Σ w z zᵀ)⁻¹ Σ w z [factors] of a user with `items`; scores: item_factors @ u.

    With B = √w z and r = √w this equals Bᵀ (I + BBᵀ)⁻¹ r, a system of size [h, h]: 30 µs for h = 64.

    Args:
        item_factors: [items, factors] of components.train_collaborative_filters.als.
        items: [h] indexes.
        strengths: [h] weights w above 0.
    """
    roots = np.sqrt(strengths)
    chosen = item_factors.take(items, axis=0) * roots[:, np.newaxis]
    products = np.dot(chosen, chosen.T)
    products.flat[:: len(items) + 1] += 1
    user: NDArray[np.float32] = np.dot(np.linalg.solve(products, roots), chosen)
    return user


def falls_without_each(
    item_factors: NDArray[np.float32],
    items: NDArray[np.int32],
    strengths: NDArray[np.float32],
    answered: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return [h, k] how far the scores of other items fall if each of the user's `items` is left out.

    With K = I + BBᵀ and a = K⁻¹ r, leaving out row j takes K⁻¹ⱼ aⱼ / K⁻¹ⱼⱼ from a (block inverse).

    Args:
        item_factors, items, strengths: as above.
        answered: [k, factors] of the other items.
    """
    roots = np.sqrt(strengths)
    chosen = item_factors.take(items, axis=0) * roots[:, np.newaxis]
    inverse = np.linalg.inv(np.dot(chosen, chosen.T) + np.eye(len(items), dtype=np.float32))
    shares = inverse @ roots / inverse.diagonal()
    falls: NDArray[np.float32] = shares[:, np.newaxis] * (inverse @ (chosen @ answered.T))
    return falls
