"""Pairs the queries of a user with those that come one, two, … steps later."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


def steps_ahead(users: NDArray[Any], cutoffs: NDArray[Any], steps: int) -> Iterator[tuple[Rows, Rows]]:
    """Yield, for 1 to `steps` steps, rows of queries and the rows of the same users that many steps later.

    Queries of a user with one cutoff are one step; its first row stands for it.

    Args:
        users, cutoffs: [queries] in the order (user, cutoff).
    """
    same = (users[1:] == users[:-1]) & (cutoffs[1:] == cutoffs[:-1])
    first = np.flatnonzero(np.concatenate([np.ones(min(1, len(users)), bool), ~same]))
    of_step = users[first]
    for step in range(1, steps + 1):
        now, later = first[: max(0, len(first) - step)], first[step:]
        of_one_user = of_step[: len(now)] == of_step[step:]
        yield now[of_one_user], later[of_one_user]
