"""Simulates users who choose items of one group only, then of another group only."""

from collections import Counter
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from components.evaluate_release.data.held_out import HeldOut
from components.evaluate_release.drift.interest_shifts import LENGTH, MIN_HISTORY, InterestShift
from components.evaluate_release.drift.item_groups import ItemGroups
from components.row_preferences import preferences_by_row
from feature_repo.histories import History
from feature_repo.interaction import Interaction
from serving.release.arrays import FloatArray

MICROSECONDS_A_MINUTE: Final = 60_000_000


def shifts_of_simulated_users(
    held_out: HeldOut, popularity: FloatArray, groups: ItemGroups, count: int, seed: int
) -> list[InterestShift]:
    """Return `count` shifts, one choice a minute; items are drawn by their popularity.

    The shift is at the newest cutoff of the test queries, so that trends and availability are of that time.
    Event type and value are typical of the positive interactions in the test queries' histories.
    """
    rng, now = np.random.default_rng(seed), int(held_out.test.cutoffs.max())
    event_type, value = _typical(held_out)
    pairs = [
        (old, int(new))
        for new in groups.narrow
        for old in range(len(groups))
        if old != new
        and np.count_nonzero(groups.only(old, int(new))) >= MIN_HISTORY
        and np.count_nonzero(groups.only(int(new), old)) >= LENGTH
    ]
    shifts = []
    for number in range(count if pairs else 0):
        old, new = pairs[int(rng.integers(len(pairs)))]
        before = _draw(groups.only(old, new), popularity, MIN_HISTORY, rng)
        after = _draw(groups.only(new, old), popularity, LENGTH, rng)
        user_id = f"simulated-{number:03d}"
        interactions = [
            Interaction(
                interaction_id=f"{user_id}-{step:02d}",
                user_id=user_id,
                item_id=held_out.index[item].as_py(),
                event_type=event_type,
                timestamp=now + (step - MIN_HISTORY) * MICROSECONDS_A_MINUTE,
                value=value,
            )
            for step, item in enumerate([*before.tolist(), *after.tolist()])
        ]
        history, chosen = History().extend(interactions[:MIN_HISTORY]), interactions[MIN_HISTORY:]
        shifts.append(InterestShift(user_id, old, new, history, np.sort(before), chosen, after))
    return shifts


def _draw(
    members: NDArray[np.bool_], popularity: FloatArray, count: int, rng: np.random.Generator
) -> NDArray[np.int32]:
    """Draw `count` distinct items of the mask `members` [items], with their popularity as weights."""
    items = np.flatnonzero(members)
    weights = popularity[items].astype(np.float64)
    return rng.choice(items, count, replace=False, p=weights / weights.sum()).astype(np.int32)


def _typical(held_out: HeldOut) -> tuple[str, float]:
    """Return the most frequent event type, and the median value or NaN if most interactions have none."""
    rows = held_out.rows.held_out
    rows = rows.filter(pc.equal(rows["split"], "test"))
    positive = pa.array(preferences_by_row(rows, held_out.feedback) > 0)
    event_types, values = (
        rows[name].combine_chunks().flatten().filter(positive) for name in ("event_types", "values")
    )
    numbers = values.to_numpy(zero_copy_only=False).astype(np.float64)
    present = numbers[~np.isnan(numbers)]
    median = float(np.median(present)) if 2 * len(present) > len(numbers) else float("nan")
    counts = Counter({row["values"]: row["counts"] for row in event_types.value_counts().to_pylist()})
    return (counts.most_common(1)[0][0] if counts else "view"), median
