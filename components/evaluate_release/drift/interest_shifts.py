"""Builds interest shifts: users who like one item group, and whose next choices are in another."""

from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components.evaluate_release.data.judged_histories import judge
from components.evaluate_release.data.queries import Indexes, Queries, Windows
from components.evaluate_release.drift.item_groups import ItemGroups
from feature_repo.attributes import Attributes
from feature_repo.feedback import FeedbackPolicy
from feature_repo.histories import History
from feature_repo.interaction import Interaction

# Numbers of interactions since the shift at which models are queried; 0 is before the shift.
STEPS: Final = (0, 1, 2, 3, 5, 8, 13, 20)
# Choices per shift: the last step needs one more, its target.
LENGTH: Final = STEPS[-1] + 1

# A user belongs to a group with at least this many interactions, at least this share of them in the group.
MIN_HISTORY, DOMINANT = 20, 0.5
# A group is new to a user if its share of the user's items is at most this fraction of its base rate.
NEW: Final = 0.5
# The choices after the shift are those of another user, the donor: one of this many users with the largest
# share of the new group.
DONORS: Final = 20


@dataclass(frozen=True, eq=False)
class InterestShift:
    """One user's shift from the group `old` to the group `new`, which are rows of ItemGroups."""

    user_id: str
    old: int
    new: int
    history: History  # before the shift
    seen: Indexes  # items before the shift, ascending
    chosen: list[Interaction]  # [LENGTH] after the shift, of the new group only, oldest first
    items: Indexes  # [LENGTH] of `chosen`
    attributes: Attributes = field(default_factory=Attributes)  # of the user


def shifts_of_real_users(
    queries: Queries, windows: Windows, groups: ItemGroups, count: int, seed: int
) -> list[InterestShift]:
    """Return shifts of at most `count` users who belong to one group, to a group that is new to them.

    Args:
        queries: held out; the shift is at the timestamp of the target.
        windows: all users' newest interactions, from which the donors are taken.
    """
    liked = queries.liked()
    shares, lengths = groups.shares(liked), np.fromiter(map(len, liked), np.int64, len(liked))
    of_one_group = (shares.max(axis=1, initial=0) >= DOMINANT) & (lengths >= MIN_HISTORY)
    rng, donors = np.random.default_rng(seed), _donors(windows, groups)
    shifts: list[InterestShift] = []
    for position in rng.permutation(np.flatnonzero(of_one_group)).tolist():
        old = int(shares[position].argmax())
        unfamiliar = [
            group for group in groups.narrow if shares[position, group] <= NEW * groups.base_rates[group]
        ]
        candidates = (
            _shift(queries, position, windows, donor, groups.only(int(new), old), (old, int(new)))
            for new in rng.permutation([group for group in unfamiliar if group != old])
            for donor in rng.permutation(donors[new]).tolist()
        )
        shifts.extend(islice(filter(None, candidates), 1))
        if len(shifts) == count:
            break
    return shifts


def _donors(windows: Windows, groups: ItemGroups) -> list[Indexes]:
    """Return for each group the users with the largest share of it, if they have LENGTH items of it."""
    liked = [
        items[(items >= 0) & (preferences > 0)]
        for items, preferences in zip(windows.items, windows.preferences, strict=True)
    ]
    shares = groups.shares(liked)
    enough = shares * np.array([[len(items)] for items in liked]) >= LENGTH
    ordered = np.argsort(-np.where(enough, shares, -1), axis=0, kind="stable")[:DONORS]
    return [rows[enough[rows, group]] for group, rows in enumerate(ordered.T)]


def _shift(
    queries: Queries,
    position: int,
    windows: Windows,
    donor: int,
    allowed: NDArray[np.bool_],
    old_and_new: tuple[int, int],
) -> InterestShift | None:
    """Continue a history with the donor's first LENGTH liked, `allowed` and unseen items; None if too few."""
    items, seen = windows.items[donor], np.union1d(queries.seen[position], queries.items[position])
    liked = windows.preferences[donor] > 0
    usable = np.flatnonzero((items >= 0) & liked & allowed[items] & ~np.isin(items, seen))
    first = np.sort(np.unique(items[usable], return_index=True)[1])[:LENGTH]
    usable = usable[first]
    history, user_id = windows.history(donor), queries.user_ids[position]
    if len(usable) < LENGTH or windows.rows["user_id"][donor].as_py() == user_id:
        return None
    delay = int(queries.cutoffs[position]) - history.timestamps[usable[0]]
    chosen = [
        Interaction(
            interaction_id=f"{user_id}+{step:02d}",
            user_id=user_id,
            item_id=history.item_ids[row],
            event_type=history.event_types[row],
            timestamp=history.timestamps[row] + delay,
            value=history.values[row],
        )
        for step, row in enumerate(usable.tolist())
    ]
    attributes = queries.attributes[position] if queries.attributes else Attributes()
    return InterestShift(
        user_id, *old_and_new, queries.histories[position], seen, chosen, items[usable], attributes
    )


def as_queries(
    shifts: list[InterestShift], index: pa.Array, keep_seen: bool, feedback: FeedbackPolicy
) -> Queries:
    """Return [STEPS x shifts] queries for the next choice: all shifts at step 0, then all at step 1, …

    Args:
        index: [items] string, the catalog's item ids.
        keep_seen: don't exclude items that the user has seen.
        feedback: the sign and strength of each interaction.
    """
    pairs = [(shift, step) for step in STEPS for shift in shifts]
    histories = [shift.history.extend(shift.chosen[:step]) for shift, step in pairs]
    item_index = {item_id: number for number, item_id in enumerate(index.to_pylist())}
    items = [
        np.array([item_index.get(item, -1) for item in history.item_ids], np.int32) for history in histories
    ]
    times = [np.asarray(history.timestamps, np.int64) for history in histories]
    preferences = [signs for signs, _ in judge(histories, items, len(index), feedback)]
    seen = [np.union1d(shift.seen, shift.items[:step]).astype(np.int32) for shift, step in pairs]
    return Queries(
        user_ids=[shift.user_id for shift, _ in pairs],
        users=np.tile(np.arange(len(shifts)), len(STEPS)),
        cutoffs=np.array([shift.chosen[step].timestamp for shift, step in pairs], np.int64),
        targets=np.array([shift.items[step] for shift, step in pairs], np.int32),
        histories=histories,
        items=[row[row >= 0] for row in items],
        timestamps=[moments[row >= 0] for row, moments in zip(items, times, strict=True)],
        preferences=[signs[row >= 0] for row, signs in zip(items, preferences, strict=True)],
        seen=[row[:0] for row in seen] if keep_seen else seen,
        sampled_from=len(pairs),
        attributes=[shift.attributes for shift, _ in pairs],
    )
