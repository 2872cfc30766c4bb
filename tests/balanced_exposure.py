"""What it costs to halve the exposure gap of providers, on simulated users whose choices are known.

python -m tests.balanced_exposure [QUERIES]

The offsets are fitted on half of the users and measured on the others. "hidden" has a ranker that lowers the
items of three of ten providers; "winners" has one without such a fault, where providers that are chosen a
little less often are in few of the first ten places.
"""

import argparse
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from components.evaluate_release.exposure_balance import fit_offsets, measure_balance
from components.metrics.fairness import (
    ExposureBalance,
    gap_of,
    provider_exposures,
)
from components.metrics.providers import Providers
from components.metrics.ranked_queries import MAX_LENGTH, RankedQueries
from serving.release.arrays import FloatArray

PROVIDERS: Final = 10
ITEMS: Final = 300
WORLDS: Final = {"hidden": (1.0, 0.0), "winners": (0.0, 1.0)}  # penalty of three providers, spread of all


@dataclass(frozen=True, eq=False)
class World:
    """Queries with the scores of a ranker, and what was chosen."""

    scores: FloatArray  # [queries, items] log odds
    targets: np.ndarray  # [queries] items
    providers: Providers

    @classmethod
    def planted(cls, queries: int, penalty: float, spread: float, seed: int = 0) -> Self:
        """Choices follow a softmax of tastes and of how attractive a provider's items are.

        Args:
            penalty: what the ranker takes from the items of the first three providers, in log odds.
            spread: deviation of what all items of a provider have more or less, for users and ranker alike.
        """
        rng = np.random.default_rng(seed)
        provider = rng.integers(0, PROVIDERS, ITEMS)
        tastes = 1.5 * rng.normal(size=(queries, 8)) @ rng.normal(size=(8, ITEMS)) / np.sqrt(8)
        utility = tastes + spread * rng.normal(size=PROVIDERS)[provider]
        targets = (utility + rng.gumbel(size=utility.shape)).argmax(axis=1).astype(np.int32)
        scores = (utility - penalty * (provider < 3)).astype(np.float32)
        return cls(scores, targets, Providers.of("seller", [f"seller {number}" for number in provider]))

    def answers(self, offsets: FloatArray | None = None) -> RankedQueries:
        """Rank all items, the offsets [items] added to their scores."""
        values = self.scores if offsets is None else self.scores + offsets
        own = np.take_along_axis(values, self.targets[:, np.newaxis], axis=1)
        ranks = np.count_nonzero(values >= own, axis=1).astype(np.int32)
        return RankedQueries(ranks, np.argsort(-values, axis=1, kind="stable")[:, :MAX_LENGTH])

    def part(self, start: int, step: int = 2) -> "World":
        """Return every second query."""
        return World(self.scores[start::step], self.targets[start::step], self.providers)

    def halved(self) -> tuple[ExposureBalance, FloatArray]:
        """Fit offsets that halve the gap on the even queries; measure them on the odd ones."""
        validation, test = self.part(0), self.part(1)
        users = np.arange(len(validation.targets))
        rows = provider_exposures(validation.answers(), validation.targets, users, self.providers, 0)
        everything = np.arange(ITEMS, dtype=np.int32)
        best = [(everything, row) for row in validation.scores]
        bound = 0.45 * gap_of(rows)  # a little below the half: other users, another gap
        _, offsets = fit_offsets(best, validation.targets, self.providers, bound)
        users = np.arange(len(test.targets))
        answers = test.answers(), test.answers(offsets)
        return measure_balance(*answers, test.targets, users, self.providers, bound), offsets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("queries", type=int, nargs="?", default=8_000, help="(default: 8000)")
    queries = parser.parse_args().queries
    for name, (penalty, spread) in WORLDS.items():
        balance, _ = World.planted(queries, penalty, spread).halved()
        change = balance.ndcg_with / balance.ndcg_without - 1
        print(
            f"{name}: exposure gap {balance.gap_without:.1%} → {balance.gap_with:.1%}, NDCG@10 "
            f"{balance.ndcg_without:.4f} → {balance.ndcg_with:.4f} ({change:+.1%}; 95 % interval of the "
            f"difference {balance.low:+.4f} to {balance.high:+.4f})"
        )


if __name__ == "__main__":
    main()
