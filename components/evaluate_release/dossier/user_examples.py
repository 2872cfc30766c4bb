"""Shows what changes for users: the lists of two models side by side."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from components.evaluate_release.dossier.held_out_answers import HeldOutAnswers
from components.evaluate_release.dossier.items_table import ItemsTable
from components.evaluate_release.dossier.reference import Reference
from components.metrics.accuracy import MISS, ndcg

EXAMPLES: Final = 20


@dataclass(frozen=True)
class Entry:
    """An item of a list; `changed` if the other list does not have it."""

    title: str
    categories: str
    is_target: bool
    changed: bool


@dataclass(frozen=True)
class Example:
    """One query of a user, with both lists; a rank is None if the target was not ranked."""

    user_id: str
    length: int  # interactions in the history
    history: list[str]  # titles, newest first
    target: str
    ours: list[Entry]
    theirs: list[Entry]
    our_rank: int | None
    their_rank: int | None
    user_queries: int  # queries of this user that both models answered
    user_gain: float  # mean NDCG@10 over them, ours minus theirs


def examples(
    answers: HeldOutAnswers, reference: Reference, model: str, items: ItemsTable, seed: int
) -> dict[str, list[Example]]:
    """Return a query each of "drawn" users, and of the user who "gains" and who "loses" most, if any does.

    Of the drawn users, one query with a history is drawn; of the other two, the one that changes most.
    """
    positions, users = reference.positions, answers.users[reference.positions]
    change = ndcg(answers.ranks[model][positions], 10) - ndcg(reference.ranks, 10)
    gains = np.bincount(users, change) / np.maximum(np.bincount(users), 1)
    counts = np.bincount(users)

    def example(row: int) -> Example:
        user = users[row]
        return _example(answers, reference, model, items, row, int(counts[user]), float(gains[user]))

    rng = np.random.default_rng(seed)
    with_history = rng.permutation(np.flatnonzero(answers.lengths[positions] > 0))
    first = np.sort(np.unique(users[with_history], return_index=True)[1])[:EXAMPLES]
    chosen = {"drawn": [example(row) for row in with_history[first]], "gains": [], "loses": []}
    present = np.flatnonzero(counts)
    for name, sign in (("gains", 1), ("loses", -1)):
        best = present[np.argmax(sign * gains[present])]
        if sign * gains[best] > 0:
            chosen[name] = [example(int(np.argmax(np.where(users == best, sign * change, -np.inf))))]
    return chosen


def _example(
    answers: HeldOutAnswers,
    reference: Reference,
    model: str,
    items: ItemsTable,
    row: int,
    user_queries: int,
    user_gain: float,
) -> Example:
    position = int(reference.positions[row])
    ours, theirs = answers.items[model][position], reference.items[row]
    target = str(answers.target_ids[position])
    return Example(
        user_id=str(answers.user_ids[position]),
        length=int(answers.lengths[position]),
        history=[items.title(item) for item in answers.history[position] if item >= 0],
        target=items.title(items.index(target)),
        ours=_entries(ours, theirs, target, items),
        theirs=_entries(theirs, ours, target, items),
        our_rank=_rank(answers.ranks[model][position]),
        their_rank=_rank(reference.ranks[row]),
        user_queries=user_queries,
        user_gain=user_gain,
    )


def _entries(own: NDArray[Any], other: NDArray[Any], target: str, items: ItemsTable) -> list[Entry]:
    return [
        Entry(
            title=items.title(item),
            categories=items.categories(item),
            is_target=items.item_id(item) == target,
            changed=bool(item not in other),
        )
        for item in own
        if item >= 0
    ]


def _rank(rank: int) -> int | None:
    return None if rank == MISS else int(rank)
