"""Simulated logs of a Plackett-Luce policy, and the true value of another one.

python -m tests.logged_policies [LOGS]

It prints in how many simulated logs the true value is inside the 95 % interval of each estimator.
"""

import argparse
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from components.evaluate_online.off_policy import LoggedAnswers, evaluate_off_policy
from pipelines.synthetic_data.simulated_users import Floats, Ints, SimulatedUsers

PLACES = 3


@dataclass(frozen=True)
class Policies:
    """A population of users, the live policy, a candidate, and the candidate's true value."""

    population: SimulatedUsers
    live: Floats  # [users, items] scores of a Plackett-Luce policy
    candidate: Floats

    @classmethod
    def simulated(cls, seed: int = 0, users: int = 1_000, items: int = 12) -> "Policies":
        """The live policy knows the appeal of the items, the candidate also something of each taste."""
        population = SimulatedUsers(users, items, seed=seed)
        attraction = population.attraction(np.arange(users))
        live = np.tile(1.5 * population.appeal, (users, 1))
        return cls(population, live, live + 2.0 * attraction)

    @cached_property
    def true_value(self) -> float:
        """The candidate's expected clicks per answer over the population: all answers are summed."""
        first = _softmax(self.candidate)  # [users, items]
        attraction = self.population.attraction(np.arange(self.population.users))
        items = np.arange(first.shape[1])
        i, j, k = np.meshgrid(items, items, items, indexing="ij")
        distinct = (i != j) & (j != k) & (i != k)
        i, j, k = i[distinct], j[distinct], k[distinct]
        a, b, c = first[:, i], first[:, j], first[:, k]
        probability = a * b / (1 - a) * c / (1 - a - b)
        examined = self.population.examination(PLACES)
        clicks = sum(attraction[:, each] * share for each, share in zip((i, j, k), examined, strict=True))
        return float((probability * clicks).sum(axis=1).mean())

    def log(self, seed: int, users: int = 400, answers: int = 4) -> LoggedAnswers:
        """Return answers of the live policy to users drawn from the population, and their clicks."""
        rng = np.random.default_rng(seed)
        drawn = np.repeat(rng.integers(self.population.users, size=users), answers)
        noisy = self.live[drawn] + rng.gumbel(size=(len(drawn), self.live.shape[1]))
        shown = np.argsort(-noisy, axis=1)[:, :PLACES]  # Plackett-Luce by the Gumbel trick
        clicked = rng.random(shown.shape) < self.population.click_probabilities(drawn, shown)
        rewards = clicked.astype(np.float64)
        model = _mean_by_item(shown, rewards, self.live.shape[1])
        propensities, _ = _along(self.live[drawn], shown, model)
        candidate, expected = _along(self.candidate[drawn], shown, model)
        modelled = np.take_along_axis(model.T, shown.T, axis=1).T
        numbers = np.repeat(np.arange(users), answers)
        return LoggedAnswers(numbers, rewards, propensities, candidate, modelled, expected)


def _softmax(scores: Floats) -> Floats:
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _along(scores: Floats, shown: Ints, model: Floats) -> tuple[Floats, Floats]:
    """Return for each place of `shown` [n, k] the probability of its item, and the model's mean reward.

    Args:
        scores: [n, items] of a Plackett-Luce policy.
        model: [items, k] rewards.
    """
    remaining = scores.astype(np.float64)
    probabilities, expected = [], []
    for place in range(shown.shape[1]):
        policy = _softmax(remaining)
        item = shown[:, [place]]
        probabilities.append(np.take_along_axis(policy, item, axis=1)[:, 0])
        expected.append(policy @ model[:, place])
        remaining = remaining.copy()
        np.put_along_axis(remaining, item, -np.inf, axis=1)
    return np.stack(probabilities, axis=1), np.stack(expected, axis=1)


def _mean_by_item(shown: Ints, rewards: Floats, items: int) -> Floats:
    """Return the mean reward [items, k] of each item at each place, shrunk to the place's mean."""
    model = []
    for place in range(shown.shape[1]):
        counts = np.bincount(shown[:, place], minlength=items)
        sums = np.bincount(shown[:, place], rewards[:, place], minlength=items)
        model.append((sums + 10 * rewards[:, place].mean()) / (counts + 10))
    return np.stack(model, axis=1)


def coverage(logs: int, seed: int = 0) -> Counter[str]:
    """Return how often the true value is inside each method's interval."""
    policies, inside = Policies.simulated(seed), Counter[str]()
    for number in range(logs):
        for each in evaluate_off_policy(policies.log(1_000 + number)).estimates:
            inside[each.method] += each.low <= policies.true_value <= each.high
    return inside


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("logs", type=int, nargs="?", default=100, help="simulated logs (default: 100)")
    logs = parser.parse_args().logs
    policies = Policies.simulated()
    print(f"true value: {policies.true_value:.4f} clicks per answer")
    print(f"live policy: {policies.log(0).rewards.sum(axis=1).mean():.4f}")
    for method, count in coverage(logs).items():
        print(f"{method}: inside the 95 % interval in {count} of {logs} logs")


if __name__ == "__main__":
    main()
