"""Simulated users whose tastes are known: all of one, then all of another."""

from collections import Counter
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from components.evaluate_release.data.held_out import HeldOut
from components.evaluate_release.drift.interest_shifts import LENGTH, MIN_HISTORY, InterestShift
from components.evaluate_release.drift.item_groups import ItemGroups
from feature_repo.histories import History
from feature_repo.interaction import Interaction
from serving.release.arrays import FloatArray

MINUTE: Final = 60_000_000  # µs


def of_simulated_users(
    held: HeldOut, popularity: FloatArray, tastes: ItemGroups, count: int, seed: int
) -> list[InterestShift]:
    """`count` users, a minute between their choices, drawn from a taste's items as often as these are chosen.

    The first choice of the new taste comes at the newest moment of the test part, so that trends and
    what is available are those of then; event type and value are ordinary ones of the test part's histories.
    """
    rng, now = np.random.default_rng(seed), int(held.test.cutoffs.max())
    event_type, value = _ordinary(held)
    pairs = [
        (old, int(new))
        for new in tastes.new
        for old in range(len(tastes))
        if old != new
        and np.count_nonzero(tastes.only(old, int(new))) >= MIN_HISTORY
        and np.count_nonzero(tastes.only(int(new), old)) >= LENGTH
    ]
    found = []
    for number in range(count if pairs else 0):
        old, new = pairs[int(rng.integers(len(pairs)))]
        liked = _draw(tastes.only(old, new), popularity, MIN_HISTORY, rng)
        turned_to = _draw(tastes.only(new, old), popularity, LENGTH, rng)
        user_id = f"simulated-{number:03d}"
        chosen = [
            Interaction(
                interaction_id=f"{user_id}-{step:02d}",
                user_id=user_id,
                item_id=held.index[item].as_py(),
                event_type=event_type,
                timestamp=now + (step - MIN_HISTORY) * MINUTE,
                value=value,
            )
            for step, item in enumerate([*liked.tolist(), *turned_to.tolist()])
        ]
        before = History().extend(chosen[:MIN_HISTORY])
        found.append(
            InterestShift(user_id, old, new, before, np.sort(liked), chosen[MIN_HISTORY:], turned_to)
        )
    return found


def _draw(
    members: NDArray[np.bool_], popularity: FloatArray, count: int, rng: np.random.Generator
) -> NDArray[np.int32]:
    """`count` distinct items of `members` [items], the popular ones more often."""
    items = np.flatnonzero(members)
    weights = popularity[items].astype(np.float64)
    return rng.choice(items, count, replace=False, p=weights / weights.sum()).astype(np.int32)


def _ordinary(held: HeldOut) -> tuple[str, float]:
    """The commonest event type, and the median value; NaN where most have none."""
    kinds = Counter(chain.from_iterable(history.event_types for history in held.test.histories))
    values = np.array([*chain.from_iterable(history.values for history in held.test.histories)], np.float64)
    known = values[~np.isnan(values)]
    median = float(np.median(known)) if 2 * len(known) > len(values) else float("nan")
    return (kinds.most_common(1)[0][0] if kinds else "view"), median
