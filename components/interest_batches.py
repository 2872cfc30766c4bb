"""Computes the interests of many histories in batches of similar length."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np

from components.errors import StepError
from feature_repo.attributes import Attributes
from feature_repo.histories import History
from feature_repo.interest_state import InterestBatch

# Padded positions per batch, which bounds the memory for any length of the histories.
POSITIONS: Final = 16_384

# Computes the interests after histories, of users with these attributes.
Compute = Callable[[Sequence[History], Sequence[Attributes]], InterestBatch]


def batches(
    histories: Sequence[History], users: Sequence[Attributes] | None = None
) -> Iterator[tuple[list[int], list[History], list[Attributes]]]:
    """Yield positions of histories, the histories there and their users, the longest first."""
    order = sorted(range(len(histories)), key=lambda position: len(histories[position]), reverse=True)
    start = 0
    while start < len(order):
        rows = max(1, POSITIONS // (1 + len(histories[order[start]])))
        positions = order[start : start + rows]
        of_users = [users[position] if users else Attributes() for position in positions]
        yield positions, [histories[position] for position in positions], of_users
        start += rows


def compute_in_batches(
    compute: Compute, histories: Sequence[History], users: Sequence[Attributes] | None = None
) -> InterestBatch:
    """Return interests and states in the order of the histories.

    Args:
        users: the attributes of each history's user; None for no attributes.

    Raises:
        StepError: an interest is not finite.
    """
    order: list[int] = []
    parts = []
    for positions, batch, of_users in batches(histories, users):
        parts.append(compute(batch, of_users))
        order += positions
    original_order = np.argsort(order)
    interest, state, as_of = (
        np.concatenate([getattr(part, name) for part in parts])[original_order]
        for name in ("interest", "state", "as_of")
    )
    if not np.isfinite(interest).all():
        raise StepError(
            "the interest model returns numbers that are not finite: it diverged in training; "
            "use a lower learning rate or gradient clipping"
        )
    return InterestBatch(interest, state, as_of)
