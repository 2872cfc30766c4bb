"""Interleaves two rankings, so that a user compares them within one answer.

Each item has a credit from -1 (the first ranking) to 1 (the second one), and a click on the item adds it.
Both methods are fair to a user who clicks whatever is shown at a place: the expected credit of each place
is 0.

`team-draft`: in each round of two places a coin says which ranking picks first; each picks its best item that
is not shown yet, and a click counts for the ranking that picked the item (Radlinski, Kurup and Joachims
2008). If both would pick the same item next, the coin alone would decide which ranking gets the click. That
is noise, so such an item counts for neither. An answer keeps the order of both rankings.

`probabilistic`: at each place a coin chooses a ranking, and one of its items that are not shown yet is drawn
with a probability that falls with the third power of its rank. A click counts for each ranking by the
probability that the item was drawn from it (Hofmann, Whiteson and de Rijke 2011). Every item can win every
place, so an item can be shown at an earlier place than it has in either ranking.
"""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from serving.experiments.kinds import Method

DEFAULT_METHOD: Final[Method] = "team-draft"

# How the probability of an item falls with its rank; that of the paper.
_RANK_EXPONENT: Final = 3.0

_FIRST, _SECOND, _NEITHER = -1.0, 1.0, 0.0
_FAIR: Final = 0.5


@dataclass(frozen=True, slots=True)
class Interleaved:
    """The places of an interleaved answer, best first."""

    item_ids: list[str]  # [≤ k]
    credits: list[float]  # [≤ k] from -1, a click counts for the first ranking, to 1, for the second one
    propensities: list[float]  # [≤ k] probability of the item at its place, given those before it


def interleave(
    first: Sequence[str], second: Sequence[str], k: int, seed: str, method: Method = DEFAULT_METHOD
) -> Interleaved:
    """Return the best k of two rankings of item ids; `seed` decides the coins."""
    digest = hashlib.blake2b(seed.encode(), digest_size=8).digest()
    coins = random.Random(int.from_bytes(digest))
    if method == "probabilistic":
        return _drawn(first, second, k, coins)
    draft = _Draft(first, second, k)
    while not draft.is_over:
        draft.play_round(bool(coins.getrandbits(1)))
    return Interleaved(draft.item_ids, draft.credits, draft.propensities)


def _drawn(first: Sequence[str], second: Sequence[str], k: int, coins: random.Random) -> Interleaved:
    items = list(dict.fromkeys([*first, *second]))
    weights = [
        {item: float(rank) ** -_RANK_EXPONENT for rank, item in enumerate(ranking, 1)}
        for ranking in (first, second)
    ]
    mixed = Interleaved([], [], [])
    while items and len(mixed.item_ids) < k:
        by_ranking = [_normalized([weight.get(item, 0.0) for item in items]) for weight in weights]
        left = [probabilities for probabilities in by_ranking if probabilities]
        shares = [sum(each) / len(left) for each in zip(*left, strict=True)]
        chosen = _draw(shares, coins)
        credit = _NEITHER  # also where only one ranking is left: no other item could win the place
        if len(left) == len(by_ranking):
            of_first, of_second = (probabilities[chosen] for probabilities in left)
            credit = (of_second - of_first) / (of_second + of_first)
        mixed.item_ids.append(items.pop(chosen))
        mixed.credits.append(credit)
        mixed.propensities.append(shares[chosen])
    return mixed


def _normalized(weights: Sequence[float]) -> list[float]:
    """Return the weights over their sum; none if all are 0."""
    total = sum(weights)
    return [weight / total for weight in weights] if total else []


def _draw(probabilities: Sequence[float], coins: random.Random) -> int:
    """Return a position by its probability; one of probability 0 never."""
    sums = list(accumulate(probabilities))
    drawn = coins.random() * sums[-1]
    return next(position for position, total in enumerate(sums) if drawn < total)


class _Draft:
    def __init__(self, first: Sequence[str], second: Sequence[str], k: int) -> None:
        self._rankings, self._next, self._k = (first, second), [0, 0], k
        self._shown: set[str] = set()
        self.item_ids, self.credits, self.propensities = list[str](), list[float](), list[float]()
        self.is_over = k < 1

    def play_round(self, first_begins: bool) -> None:
        a, b = self._best(0), self._best(1)
        if a is None or b is None or a == b:
            self._show(a if a is not None else b, _NEITHER, 1.0)
            a, b = self._best(0), self._best(1)
            if a is None or b is None or a == b:
                self._show(a if a is not None else b, _NEITHER, 1.0)
            else:
                self._show(*((b, _SECOND) if first_begins else (a, _FIRST)), _FAIR)
            return
        picks = [(a, _FIRST), (b, _SECOND)]
        picked, other = picks if first_begins else reversed(picks)
        self._show(*picked, _FAIR)
        self._show(*other, 1.0)

    def _best(self, ranking: int) -> str | None:
        """Return the best item of a ranking that is not shown."""
        items = self._rankings[ranking]
        while self._next[ranking] < len(items) and items[self._next[ranking]] in self._shown:
            self._next[ranking] += 1
        return items[self._next[ranking]] if self._next[ranking] < len(items) else None

    def _show(self, item: str | None, credit: float, propensity: float) -> None:
        if item is None or len(self.item_ids) == self._k:
            self.is_over = True
            return
        self._shown.add(item)
        self.item_ids.append(item)
        self.credits.append(credit)
        self.propensities.append(propensity)
        self.is_over = len(self.item_ids) == self._k
