"""Users who turn to another taste: what they had before, and what they choose from then on."""

from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from components.evaluate_release.data.queries import Indexes, Queries, Windows
from components.evaluate_release.drift.item_groups import ItemGroups
from feature_repo.attributes import Attributes
from feature_repo.histories import History
from feature_repo.interaction import Interaction

# Interactions since the switch after which is asked; 0 is before it.
STEPS: Final = (0, 1, 2, 3, 5, 8, 13, 20)
# A switch holds one more: what comes next is asked for after each step.
LENGTH: Final = STEPS[-1] + 1

# Somebody is of a taste who has so many interactions, this share of them of the taste …
MIN_HISTORY, DOMINANT = 20, 0.5
# … and new to one that holds at most this part of what it holds of everybody's.
NEW: Final = 0.5
# Whose choices are followed is drawn among so many users, those with the largest share of the new taste.
DONORS: Final = 20


@dataclass(frozen=True, eq=False)
class InterestShift:
    """One user's, from the taste `old` to `new`, rows of ItemGroups."""

    user_id: str
    old: int
    new: int
    history: History  # before it
    seen: Indexes  # before it, ascending
    chosen: list[Interaction]  # [LENGTH] since then, of the new taste alone, oldest first
    items: Indexes  # [LENGTH] of `chosen`
    attributes: Attributes = field(default_factory=Attributes)  # what is known of the user beside it


def of_real_users(
    queries: Queries, windows: Windows, tastes: ItemGroups, count: int, seed: int
) -> list[InterestShift]:
    """At most `count` users of one taste, each turning to one new to them as a user of that taste chose.

    Args:
        queries: held out; a switch comes at the moment of the target.
        windows: everybody's, among whom is one whose choices are followed, in their order.
    """
    shares = tastes.shares(queries.items)
    one_taste = (shares.max(axis=1, initial=0) >= DOMINANT) & (queries.lengths() >= MIN_HISTORY)
    rng, donors = np.random.default_rng(seed), _donors(windows, tastes)
    found: list[InterestShift] = []
    for position in rng.permutation(np.flatnonzero(one_taste)).tolist():
        old = int(shares[position].argmax())
        strange = [taste for taste in tastes.new if shares[position, taste] <= NEW * tastes.base[taste]]
        tried = (
            _follow(queries, position, windows, donor, tastes.only(int(new), old), (old, int(new)))
            for new in rng.permutation([taste for taste in strange if taste != old])
            for donor in rng.permutation(donors[new]).tolist()
        )
        found.extend(islice(filter(None, tried), 1))
        if len(found) == count:
            break
    return found


def _donors(windows: Windows, tastes: ItemGroups) -> list[Indexes]:
    """Of each taste the users who hold most to it, of those with interactions enough."""
    known = [items[items >= 0] for items in windows.items]
    shares = tastes.shares(known)
    enough = shares * np.array([[len(items)] for items in known]) >= LENGTH
    ordered = np.argsort(-np.where(enough, shares, -1), axis=0, kind="stable")[:DONORS]
    return [rows[enough[rows, taste]] for taste, rows in enumerate(ordered.T)]


def _follow(
    queries: Queries,
    position: int,
    windows: Windows,
    donor: int,
    wanted: NDArray[np.bool_],
    tastes: tuple[int, int],
) -> InterestShift | None:
    """What the donor chose of the items `wanted` that the user has not had; None where that is too little."""
    items, seen = windows.items[donor], np.union1d(queries.seen[position], queries.items[position])
    places = np.flatnonzero((items >= 0) & wanted[items] & ~np.isin(items, seen))
    first = np.sort(np.unique(items[places], return_index=True)[1])[:LENGTH]
    places = places[first]
    history, user_id = windows.history(donor), queries.user_ids[position]
    if len(places) < LENGTH or windows.rows["user_id"][donor].as_py() == user_id:
        return None
    later = int(queries.cutoffs[position]) - history.timestamps[places[0]]
    chosen = [
        Interaction(
            interaction_id=f"{user_id}+{step:02d}",
            user_id=user_id,
            item_id=history.item_ids[place],
            event_type=history.event_types[place],
            timestamp=history.timestamps[place] + later,
            value=history.values[place],
        )
        for step, place in enumerate(places.tolist())
    ]
    known = queries.attributes[position] if queries.attributes else Attributes()
    return InterestShift(user_id, *tastes, queries.histories[position], seen, chosen, items[places], known)


def as_queries(switches: list[InterestShift], index: pa.Array, keep_seen: bool) -> Queries:
    """[STEPS x switches] queries: every switch after 0 interactions, then every one after 1, …

    The target is what is chosen next.

    Args:
        index: [items] string, the catalog's item ids.
        keep_seen: items seen before may be answered again.
    """
    asked = [(switch, step) for step in STEPS for switch in switches]
    histories = [switch.history.extend(switch.chosen[:step]) for switch, step in asked]
    place = {item_id: number for number, item_id in enumerate(index.to_pylist())}
    items = [np.array([place.get(item, -1) for item in history.item_ids], np.int32) for history in histories]
    times = [np.asarray(history.timestamps, np.int64) for history in histories]
    seen = [np.union1d(switch.seen, switch.items[:step]).astype(np.int32) for switch, step in asked]
    return Queries(
        user_ids=[switch.user_id for switch, _ in asked],
        users=np.tile(np.arange(len(switches)), len(STEPS)),
        cutoffs=np.array([switch.chosen[step].timestamp for switch, step in asked], np.int64),
        targets=np.array([switch.items[step] for switch, step in asked], np.int32),
        histories=histories,
        items=[row[row >= 0] for row in items],
        timestamps=[moments[row >= 0] for row, moments in zip(items, times, strict=True)],
        seen=[known[:0] for known in seen] if keep_seen else seen,
        sampled_from=len(asked),
        attributes=[switch.attributes for switch, _ in asked],
    )
