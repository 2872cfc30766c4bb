"""Interactions that a later one of the same user with the same item takes back or replaces."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

# A negative preference of at least this strength is an opinion: it holds until the user likes the item.
OPINION: Final = 0.5


def cancel(
    result: FloatArray, cancels: NDArray[np.bool_], keys: NDArray[np.int64], values: FloatArray
) -> None:
    """Make the last positive interaction before each cancellation neutral, unless its amount is larger.

    What a cancellation takes back beyond the amount of one interaction, it takes back from the one before.

    Args:
        keys: [n] equal for interactions of the same user with the same item.
    """
    if not cancels.any():
        return
    concerned = np.flatnonzero(np.isin(keys, keys[cancels]))
    positives: dict[int, list[int]] = defaultdict(list)
    amounts = np.abs(values).tolist()
    for position in concerned.tolist():
        before = positives[int(keys[position])]
        if result[position] > 0:
            before.append(position)
        elif cancels[position]:
            _take_back(result, before, amounts, amounts[position])


def _take_back(result: FloatArray, positions: list[int], amounts: list[float], rest: float) -> None:
    """Take `rest` from the amounts at `positions`, the last one first; what has none left becomes neutral."""
    while positions:
        amounts[positions[-1]] -= rest
        left = amounts[positions[-1]]
        if left > 0:
            return
        result[positions.pop()] = 0
        if not left < 0:  # without amounts the difference is NaN: a cancellation takes back one interaction
            return
        rest = -left


def keep_last_opinions(
    result: FloatArray,
    states_opinion: NDArray[np.bool_],
    is_rating: NDArray[np.bool_],
    keys: NDArray[np.int64],
) -> None:
    """Make interactions neutral that a later opinion about the same item replaces; arguments as above."""
    is_negative = result <= -OPINION
    opinions = np.flatnonzero(states_opinion | is_rating | is_negative)[::-1]
    with_opinion, first = np.unique(keys[opinions], return_index=True)
    last = opinions[first]
    replaced = is_rating | is_negative
    replaced[last] = False
    result[replaced] = 0
    disliked = with_opinion[result[last] < 0]
    result[(result > 0) & np.isin(keys, disliked)] = 0


def any_repeats(keys: NDArray[np.int64]) -> bool:
    """Return whether any user has more than one interaction with an item; faster than looking for them."""
    return len(np.unique(keys)) < len(keys)


def user_item_keys(item_ids: Sequence[Any] | NDArray[Any], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return [n] numbers that are equal for interactions of the same user with the same item."""
    codes = item_codes(item_ids)
    users = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    return users * (int(codes.max(initial=0)) + 1) + codes


def item_codes(item_ids: Sequence[Any] | NDArray[Any]) -> NDArray[np.int64]:
    """Return [n] a number for each item."""
    if isinstance(item_ids, np.ndarray) and np.issubdtype(item_ids.dtype, np.integer):
        return item_ids.astype(np.int64)
    numbers: dict[Any, int] = {}
    return np.fromiter((numbers.setdefault(i, len(numbers)) for i in item_ids), np.int64, len(item_ids))
