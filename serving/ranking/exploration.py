"""Exploration: in a share of the requests, places are drawn among the best items, with known probabilities.

- *epsilon_greedy*: each place shows the best remaining item, or with probability epsilon one of the pool's
  remaining items, each equally likely.
- *plackett_luce*: each place is drawn from the softmax of the remaining scores over a temperature (Plackett
  1975; Luce 1959).

Only permitted candidates can be drawn, and of them only those of the pool: the best ones, whose score is at
most `floor` below the best. The request's and the user's id decide what is drawn, so a repeated request gets
the same answer.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.ranking.scenarios import Exploration
from serving.ranking.top_k import best_positions
from serving.release.arrays import FloatArray

Probabilities = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Drawn:
    """The answer's positions among the candidates, and their probabilities.

    `propensities[j]` is the probability that place j shows this item, given the items at the places before
    it: over all requests, explored and not. Their product is the probability of the whole answer.
    """

    positions: NDArray[np.intp]  # [≤ k]
    propensities: Probabilities  # [≤ k]


def draw(logits: FloatArray, k: int, exploration: Exploration, user_id: str, request_id: str) -> Drawn:
    """Return the answer to a request.

    Args:
        logits: [m] scores of the permitted candidates, in log odds.
    """
    best = best_positions(logits, max(k, exploration.pool))
    ordered = logits[best]
    digest = hashlib.blake2b(f"{user_id}\0{request_id}".encode(), digest_size=8).digest()
    rng = np.random.default_rng(int.from_bytes(digest))
    ranks = list(range(min(k, len(best))))
    if rng.random() < exploration.share:
        drawn: list[int] = []
        for place in ranks:
            remaining, probabilities = _next_place(ordered, drawn, exploration)
            drawn.append(int(rng.choice(remaining, p=probabilities)) if len(remaining) else place)
        ranks = drawn
    return Drawn(best[ranks], propensities(ordered, ranks, exploration))


def propensities(logits: FloatArray, ranks: Sequence[int], exploration: Exploration) -> Probabilities:
    """Return the probability [k] of each place of an answer, given the items at the places before it.

    Args:
        logits: [n] scores of the permitted candidates, best first.
        ranks: [k] positions of the answer's items in `logits`; -1 for an item that is no candidate.
    """
    given: list[float] = []
    greedy, explored = 1 - exploration.share, exploration.share  # probability of the places so far, by branch
    for place, rank in enumerate(ranks):
        before = greedy + explored
        remaining, probabilities = _next_place(logits, ranks[:place], exploration)
        found = np.flatnonzero(remaining == rank)
        if len(remaining):
            explored *= float(probabilities[found[0]]) if len(found) else 0.0
        else:  # the pool is exhausted
            explored *= rank == place
        greedy *= rank == place
        given.append((greedy + explored) / before if before else 0.0)
    return np.array(given)


def _next_place(
    logits: FloatArray, drawn: Sequence[int], exploration: Exploration
) -> tuple[NDArray[np.intp], Probabilities]:
    """Return the ranks [r] of the pool that are left after `drawn`, and their probabilities [r]."""
    pool = logits[: exploration.pool]
    remaining = np.flatnonzero(pool >= pool[0] - exploration.floor) if len(pool) else np.zeros(0, np.intp)
    remaining = remaining[~np.isin(remaining, drawn)]
    return remaining, _probabilities(logits[remaining], exploration)


def _probabilities(logits: FloatArray, exploration: Exploration) -> Probabilities:
    """Return the probability [n] of each remaining item [n], best first, at the next place."""
    if not len(logits):
        return np.zeros(0)
    if exploration.method == "plackett_luce":
        weights = np.exp((logits.astype(np.float64) - logits[0]) / exploration.temperature)
        return np.asarray(weights / weights.sum())
    probabilities = np.full(len(logits), exploration.epsilon / len(logits))
    probabilities[0] += 1 - exploration.epsilon
    return probabilities
