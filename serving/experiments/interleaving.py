"""Interleaves two rankings by team draft, so that a user compares them within one answer.

In each round of two places a coin says which ranking picks first; each picks its best item that is not shown
yet, and clicks count for the ranking that picked the item (Radlinski, Kurup and Joachims 2008). Where both
would pick the same item next, the coin alone would decide for whom a click on it counts, which is noise: such
an item counts for neither. A user who clicks whatever is shown at a place favours neither ranking, because
of any two items that are exchanged by the coin each is as likely at either place.
"""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# The character of a place for the ranking whose pick it is.
FIRST, SECOND, NEITHER = "a", "b", "-"

_FAIR: Final = 0.5


@dataclass(frozen=True, slots=True)
class Interleaved:
    """The places of an interleaved answer, best first."""

    item_ids: list[str]  # [≤ k]
    teams: str  # [≤ k] FIRST, SECOND or NEITHER
    propensities: list[float]  # [≤ k] probability of the item at its place, given those before it


def interleave(first: Sequence[str], second: Sequence[str], k: int, seed: str) -> Interleaved:
    """Return the best k of two rankings of item ids; `seed` decides the coins."""
    digest = hashlib.blake2b(seed.encode(), digest_size=8).digest()
    draft, coins = _Draft(first, second, k), random.Random(int.from_bytes(digest))
    while not draft.is_over:
        draft.play_round(bool(coins.getrandbits(1)))
    return Interleaved(draft.item_ids, "".join(draft.teams), draft.propensities)


class _Draft:
    def __init__(self, first: Sequence[str], second: Sequence[str], k: int) -> None:
        self._rankings, self._next, self._k = (first, second), [0, 0], k
        self._shown: set[str] = set()
        self.item_ids, self.teams, self.propensities = list[str](), list[str](), list[float]()
        self.is_over = k < 1

    def play_round(self, first_begins: bool) -> None:
        a, b = self._best(0), self._best(1)
        if a is None or b is None or a == b:
            self._show(a if a is not None else b, NEITHER, 1.0)
            a, b = self._best(0), self._best(1)
            if a is None or b is None or a == b:
                self._show(a if a is not None else b, NEITHER, 1.0)
            else:
                self._show(*((b, SECOND) if first_begins else (a, FIRST)), _FAIR)
            return
        picks = [(a, FIRST), (b, SECOND)]
        picked, other = picks if first_begins else reversed(picks)
        self._show(*picked, _FAIR)
        self._show(*other, 1.0)

    def _best(self, ranking: int) -> str | None:
        """Return the best item of a ranking that is not shown."""
        items = self._rankings[ranking]
        while self._next[ranking] < len(items) and items[self._next[ranking]] in self._shown:
            self._next[ranking] += 1
        return items[self._next[ranking]] if self._next[ranking] < len(items) else None

    def _show(self, item: str | None, team: str, propensity: float) -> None:
        if item is None or len(self.item_ids) == self._k:
            self.is_over = True
            return
        self._shown.add(item)
        self.item_ids.append(item)
        self.teams.append(team)
        self.propensities.append(propensity)
        self.is_over = len(self.item_ids) == self._k
