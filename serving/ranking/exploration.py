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
    pool = best[: exploration.pool]
    pool = pool[logits[pool] >= logits[best[0]] - exploration.floor] if len(pool) else pool
    digest = hashlib.blake2b(f"{user_id}\0{request_id}".encode(), digest_size=8).digest()
    rng = np.random.default_rng(int.from_bytes(digest))
    is_explored = rng.random() < exploration.share
    drawn: list[int] = []  # ranks in `best`: 0 is the best candidate
    propensities: list[float] = []
    greedy, explored = 1 - exploration.share, exploration.share  # probability of the places so far, by branch
    for place in range(min(k, len(best))):
        before = greedy + explored
        if place < len(pool):
            remaining = np.setdiff1d(np.arange(len(pool)), drawn)
            probabilities = _probabilities(logits[pool[remaining]], exploration)
            choice = int(rng.choice(len(remaining), p=probabilities)) if is_explored else 0
            rank, probability = int(remaining[choice]), float(probabilities[choice])
        else:  # the pool is exhausted
            rank, probability = place, 1.0
        drawn.append(rank)
        explored *= probability
        greedy *= rank == place
        propensities.append((greedy + explored) / before)
    return Drawn(best[drawn], np.array(propensities))


def _probabilities(logits: FloatArray, exploration: Exploration) -> Probabilities:
    """Return the probability [n] of each remaining item [n], best first, at the next place."""
    if exploration.method == "plackett_luce":
        weights = np.exp((logits.astype(np.float64) - logits[0]) / exploration.temperature)
        return np.asarray(weights / weights.sum())
    probabilities = np.full(len(logits), exploration.epsilon / len(logits))
    probabilities[0] += 1 - exploration.epsilon
    return probabilities
